/**
 * Writes the software bill of materials of a deployed program into its folder: `sbom.cdx.json`, CycloneDX 1.6, with each npm package
 * that is installed there. Packages of the operating system belong to the base image, which brings a list of its own.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Contrib, Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';
import { PackageURL } from 'packageurl-js';

const { ComponentBuilder } = Contrib.FromNodePackageJson.Builders;
const licences = new Contrib.License.Factories.LicenseFactory();
const builder = new ComponentBuilder(
  new Contrib.FromNodePackageJson.Factories.ExternalReferenceFactory(),
  licences,
);
const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));

/** @param {string} folder what `pnpm deploy` wrote */
export function writeSbom(folder) {
  const bom = new Models.Bom();
  bom.metadata.component = componentIn(folder, Enums.ComponentType.Application);
  for (const place of packagesIn(folder)) {
    const component = componentIn(place, Enums.ComponentType.Library);
    bom.components.add(component);
    bom.metadata.component.dependencies.add(component.bomRef);
  }
  writeFileSync(join(folder, 'sbom.cdx.json'), serializer.serialize(bom, { sortLists: true, space: 1 }));
}

function componentIn(folder, type) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const component = builder.makeComponent(manifest, type);
  if (component === undefined) throw new Error(`${folder}: package.json has no name.`);
  const [scope, name] = manifest.name.startsWith('@') ? manifest.name.split('/') : [undefined, manifest.name];
  const purl = new PackageURL('npm', scope, name, manifest.version, undefined, undefined);
  component.purl = purl;
  component.bomRef.value = purl.toString();
  return component;
}

/** The folder of each installed package: once for each version, wherever it is linked from. */
function packagesIn(folder) {
  const store = join(folder, 'node_modules/.pnpm');
  return readdirSync(store)
    .map((entry) => join(store, entry, 'node_modules'))
    .filter((modules) => existsSync(modules))
    .flatMap((modules) =>
      readdirSync(modules, { withFileTypes: true }).flatMap((entry) =>
        entry.name.startsWith('@')
          ? readdirSync(join(modules, entry.name), { withFileTypes: true })
          : [entry],
      ),
    )
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((place) => existsSync(join(place, 'package.json')));
}

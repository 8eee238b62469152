/**
 * `npm run docs:api`: writes the API reference of `@stratum/jobs` from its docstrings to `docs/reference/jobs-api`. With `--check` it
 * writes nothing, and fails when the pages there differ. Either way a public function without a docstring is an error.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Application } from 'typedoc';

const ROOT = join(import.meta.dirname, '../..');
const PACKAGE = join(ROOT, 'packages/jobs');
const PAGES = join(ROOT, 'docs/reference/jobs-api');
/** The package's public entry points; `internal` is not one. */
const ENTRY_POINTS = [
  'index',
  'monitor',
  'metrics',
  'testing/index',
  'embedded/index',
  'outbox/index',
  'processes',
];
const NOTE = '<!-- Written by `npm run docs:api` from the docstrings; `npm test` compares it. -->\n\n';

const check = process.argv.includes('--check');
const folder = mkdtempSync(join(tmpdir(), 'stratum-api-'));
try {
  process.exitCode = (await generate(folder)) ? publish(folder) : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** @returns whether every public function has a docstring, and every link a target */
async function generate(out) {
  const app = await Application.bootstrapWithPlugins({
    name: '@stratum/jobs',
    entryPoints: ENTRY_POINTS.map((entry) => join(PACKAGE, `src/${entry}.ts`)),
    tsconfig: join(PACKAGE, 'tsconfig.json'),
    plugin: ['typedoc-plugin-markdown'],
    out,
    outputFileStrategy: 'modules',
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    typeAliasPropertiesFormat: 'table',
    propertyMembersFormat: 'table',
    enumMembersFormat: 'table',
    useCodeBlocks: true,
    readme: 'none',
    githubPages: false,
    disableSources: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeExternals: true,
    sort: ['alphabetical'],
    validation: { notDocumented: true, notExported: false, invalidLink: true },
    requiredToBeDocumented: ['Function', 'Class'],
    treatValidationWarningsAsErrors: true,
    logLevel: 'Warn',
  });
  const project = await app.convert();
  if (project === undefined) return false;
  app.validate(project);
  await app.generateOutputs(project);
  return !app.logger.hasErrors();
}

/** Compares the pages, or replaces them. @returns the exit code */
function publish(generated) {
  const names = readdirSync(generated).toSorted();
  const pages = new Map(
    names.map((name) => [name, NOTE + readFileSync(join(generated, name), 'utf8').trimEnd() + '\n']),
  );
  const present = existsSync(PAGES) ? readdirSync(PAGES).toSorted() : [];
  if (check) {
    const isCurrent =
      present.join() === names.join() &&
      names.every((name) => readFileSync(join(PAGES, name), 'utf8') === pages.get(name));
    if (!isCurrent)
      console.error(
        'docs/reference/jobs-api differs from the docstrings. Run `npm run docs:api`, and commit the pages.',
      );
    return isCurrent ? 0 : 1;
  }
  rmSync(PAGES, { recursive: true, force: true });
  mkdirSync(PAGES, { recursive: true });
  for (const [name, text] of pages) writeFileSync(join(PAGES, name), text);
  console.log(`Wrote ${names.length} pages to docs/reference/jobs-api.`);
  return 0;
}

import { contractFiles, outdatedContracts, writeContracts } from '../contracts/contract-files.js';
import { typed } from '../frame/invocation.js';
import { printJson } from '../output.js';
import { VERSION } from '../version.js';

interface ExportOptions {
  out: string;
  check?: boolean;
  json?: boolean;
}

export async function exportContracts({ out, check, json }: ExportOptions): Promise<void> {
  const files = contractFiles(VERSION);
  if (!check) {
    await writeContracts(out, files);
    if (json) printJson({ folder: out, files: [...files.keys()] });
    else console.log(`Wrote ${files.size} files to ${out}.`);
    return;
  }
  const outdated = await outdatedContracts(out, files);
  if (outdated.length > 0) {
    throw new Error(
      `Out of date: ${outdated.join(', ')}. Run ${typed('contracts export')} and commit the files that it writes.`,
    );
  }
  if (json) printJson({ folder: out, outdated });
  else console.log(`All ${files.size} files in ${out} are up to date.`);
}

import { join } from 'node:path';
import { Command, Option } from 'commander';
import { contractFiles, outdatedContracts, writeContracts } from '../contracts/contract-files.js';
import { printJson } from '../output.js';
import { ROOT } from '../stack/run-file.js';
import { VERSION } from '../version.js';

interface ExportOptions {
  out: string;
  check?: boolean;
  json?: boolean;
}

export function contractsCommand(): Command {
  return new Command('contracts')
    .description('The wire contract as documents, for programs in other languages.')
    .addCommand(
      new Command('export')
        .description('Write the AsyncAPI document and the JSON Schemas of all tasks.')
        .addOption(
          new Option('--out <folder>', 'where to').default(
            join(ROOT, 'docs', 'reference', 'contracts'),
            'docs/reference/contracts',
          ),
        )
        .option('--check', 'write nothing; fail when the files there are not those of this version')
        .option('--json', 'print JSON')
        .addHelpText(
          'after',
          '\nExamples:\n  stratum contracts export --out contracts\n  stratum contracts export --check',
        )
        .action(exportContracts),
    );
}

async function exportContracts({ out, check, json }: ExportOptions): Promise<void> {
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
      `Not of this version: ${outdated.join(', ')}. Run \`stratum contracts export\` and commit what it writes.`,
    );
  }
  if (json) printJson({ folder: out, outdated });
  else console.log(`All ${files.size} files in ${out} are of this version.`);
}

/**
 * `--config <file>` holds for every command, and is needed before the parser exists: help and choices show the application's tasks.
 */
const OPTION = '--config';

/** The words without the option, and its file. Words after `--` are no options; without a value the parser refuses it. */
export function takeConfig(argv: readonly string[]): { argv: string[]; config?: string } {
  const end = argv.indexOf('--');
  const index = argv.findIndex((word) => word === OPTION || word.startsWith(`${OPTION}=`));
  const isSplit = argv[index] === OPTION;
  const config = isSplit ? argv[index + 1] : argv[index]?.slice(OPTION.length + 1);
  if (index === -1 || (end !== -1 && index > end) || config === undefined || config === '')
    return { argv: [...argv] };
  return { argv: argv.toSpliced(index, isSplit ? 2 : 1), config };
}

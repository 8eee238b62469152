/** Arguments and options that several commands take. */
import type { ArgumentDeclaration, OptionDeclaration } from './declaration.js';
import { count } from './value-types.js';

export const taskArgument: ArgumentDeclaration = { name: '<task>', description: 'name of the task type' };
export const queueArgument: ArgumentDeclaration = { name: '<queue>', description: 'name of the queue' };
export const taskIdArgument: ArgumentDeclaration = { name: '<id>', description: 'id of the task' };

/** Of commands about the data of one tenant. */
export const tenantOption: OptionDeclaration = {
  flags: '--tenant <id>',
  description: 'id of the tenant',
  type: count,
  required: true,
};

/** @param guide the page that describes the definition */
export function definitionFile(guide: string): ArgumentDeclaration {
  return {
    name: '[file]',
    description: `JSON file with the definition (${guide}); - reads standard input`,
    default: '-',
  };
}

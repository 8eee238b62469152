/** `npm run test:cron [-- --from 2020 --to 2040]`: the long form of the comparison, every zone, year and change of clocks. */
import { parseArgs } from 'node:util';
import { compareTicks } from './compare-ticks.js';

const { values } = parseArgs({
  options: { from: { type: 'string', default: '2020' }, to: { type: 'string', default: '2040' } },
});
const [from, to] = [Number(values.from), Number(values.to)];
const zones = Intl.supportedValuesOf('timeZone');
let compared = 0;
let differing = 0;
for (let year = from; year <= to; year++) {
  const comparison = compareTicks({
    zones,
    years: [year],
    select: (expressions) => expressions,
    aroundMs: 12 * 3_600_000,
  });
  compared += comparison.compared;
  differing += comparison.differences.length;
  for (const difference of comparison.differences) console.error(difference);
  console.log(`${year}: ${comparison.compared} ticks in ${zones.length} time zones`);
}
console.log(`${compared} ticks compared, ${differing} expressions differ.`);
process.exitCode = differing === 0 ? 0 : 1;

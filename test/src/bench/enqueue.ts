/** Tasks enqueued per second: `client.enqueue` beside the publish of the same message by hand, both with many under way. */
import { headers } from '@nats-io/transport-node';
import { compare, inParallel, rate, type Comparison } from './measure.js';
import { bareId, noop, type BareSetup, type Framework } from './subject.js';

const COUNT = 30_000;
const IN_FLIGHT = 1_000;

export async function benchEnqueue(
  framework: Framework,
  bare: BareSetup,
  rounds: number,
): Promise<Comparison> {
  let run = 0;
  return compare(
    rounds,
    () => rate(COUNT, () => inParallel(COUNT, IN_FLIGHT, (n) => framework.client.enqueue(noop, { n }))),
    () => {
      const round = run++;
      return rate(COUNT, () =>
        inParallel(COUNT, IN_FLIGHT, (n) => {
          const id = bareId(`enqueue-${round}`, n);
          const messageHeaders = headers();
          messageHeaders.set('Nats-Msg-Id', id);
          return bare.publisher.publish(bare.taskSubject(id), JSON.stringify({ n }), {
            headers: messageHeaders,
          });
        }),
      );
    },
  );
}

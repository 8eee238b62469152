/** The handler of `train_model`, which runs in a thread of its own: computes without a pause. */
export function trainModel({ rounds }) {
  let loss = 1;
  for (let round = 0; round < rounds; round++) loss /= 2;
  return { loss };
}

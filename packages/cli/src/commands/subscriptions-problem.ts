export function unknownSubscription(id: string): Error {
  return new Error(`There is no subscription "${id}" there. See \`stratum subscriptions list --tenant …\`.`);
}

/** The resolution of modules for `older-import.ts`. Other packages keep today's framework. */
import type { ResolveHook } from 'node:module';

export const resolve: ResolveHook = (specifier, context, next) => {
  const framework = process.env['CRASH_FRAMEWORK'];
  const isOurs = context.parentURL?.includes('/test/dist/') === true;
  return specifier === '@stratum/jobs' && isOurs && framework !== undefined
    ? { url: framework, shortCircuit: true }
    : next(specifier, context);
};

/**
 * OpenTelemetry for a service, switched on by the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_EXPORTER`, …) alone. Where
 * none is set, nothing of it is loaded.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { Tracer } from '@stratum/jobs';
import type { Logger } from 'pino';

interface Telemetry {
  readonly tracer: Tracer;
  /** Sends what is left, for at most five seconds. Never rejects. */
  stop(): Promise<void>;
}

/** Any of these names a destination. */
const SWITCHES = /^OTEL_(EXPORTER_.+_ENDPOINT|(TRACES|METRICS|LOGS)_EXPORTER|CONFIG_FILE)$/;
/** Requests of probes and scrapers. */
const UNTRACED_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);
const STOP_WITHIN_MS = 5_000;

function isTelemetryOn(environment: NodeJS.ProcessEnv): boolean {
  if (environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return false;
  return Object.entries(environment).some(([name, value]) => SWITCHES.test(name) && Boolean(value));
}

/** @param name of the service, where `OTEL_SERVICE_NAME` says none */
export async function startTelemetry(
  name: string,
  logger: Logger,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Telemetry | undefined> {
  if (!isTelemetryOn(environment)) return undefined;
  const [{ NodeSDK }, { HttpInstrumentation }, { PgInstrumentation }, { UndiciInstrumentation }, api] =
    await Promise.all([
      import('@opentelemetry/sdk-node'),
      import('@opentelemetry/instrumentation-http'),
      import('@opentelemetry/instrumentation-pg'),
      import('@opentelemetry/instrumentation-undici'),
      import('@opentelemetry/api'),
    ]);
  const isNamed =
    Boolean(environment['OTEL_SERVICE_NAME']) ||
    environment['OTEL_RESOURCE_ATTRIBUTES']?.includes('service.name=') === true;
  const sdk = new NodeSDK({
    ...(isNamed ? {} : { serviceName: name }),
    instrumentations: [
      new HttpInstrumentation({
        ignoreIncomingRequestHook: ({ url }) => UNTRACED_PATHS.has(pathOf(url)),
        // A query may hold a secret, such as the token with which a sender verifies a webhook.
        startIncomingSpanHook: ({ url }) => withoutQuery(pathOf(url)),
        // `fetch` is traced by its own instrumentation; what else the process requests is not the work of tasks.
        disableOutgoingRequestInstrumentation: true,
      }),
      new UndiciInstrumentation({
        requireParentforSpans: true,
        startSpanHook: ({ origin, path }) => ({ 'url.full': `${origin}${pathOf(path)}`, 'url.query': '' }),
      }),
      // Pollers ask the database all the time; only what a request or a task asks is traced. Values are never part of a span.
      new PgInstrumentation({ requireParentSpan: true, ignoreConnectSpans: true }),
    ],
  });
  sdk.start();
  instrumentLoaded();
  logger.info('OpenTelemetry is on');
  return {
    tracer: api.trace.getTracer('stratum'),
    stop: () => stopWithin(() => sdk.shutdown(), logger),
  };
}

/** The modules are loaded already; requiring them once more hands them to the instrumentations, which change them in place. */
function instrumentLoaded(): void {
  const require = createRequire(import.meta.url);
  for (const module of ['node:http', 'node:https', 'pg']) require(module);
  syncBuiltinESMExports();
}

function withoutQuery(path: string): Record<string, string> {
  return { 'http.target': path, 'http.url': path, 'url.path': path, 'url.query': '' };
}

function pathOf(url: string | undefined): string {
  return (url ?? '').split('?', 1)[0] ?? '';
}

async function stopWithin(stop: () => Promise<void>, logger: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the collector does not answer')), STOP_WITHIN_MS);
  });
  try {
    await Promise.race([stop(), late]);
  } catch (error) {
    logger.warn({ err: error }, 'the last telemetry could not be sent');
  } finally {
    clearTimeout(timer);
  }
}

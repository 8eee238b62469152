/** Health check of a container: whether the service in it is ready. */
const port = (process.env['METRICS_PORT'] || '9464').split('-')[0];
try {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(4_000) });
  if (!response.ok) process.stderr.write(await response.text());
  process.exitCode = response.ok ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

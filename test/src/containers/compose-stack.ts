/** The platform as `deploy/compose.yaml` runs it, under a name, ports and secrets of its own. */
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { runProgram, type Ran } from '../cli/stratum.js';
import { dataFolder, freePort } from '../harness/index.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const GRAFANA = 'grafana/grafana:12.1.1';

const containerSchema = z.object({
  Name: z.string(),
  Service: z.string(),
  State: z.string(),
  Health: z.string(),
  ExitCode: z.int(),
});
export type ComposeContainer = z.infer<typeof containerSchema>;

/** What `docker inspect` tells of a container. */
const inspectedSchema = z.object({
  Config: z.object({ User: z.string() }),
  HostConfig: z.object({ ReadonlyRootfs: z.boolean() }),
  State: z.object({ ExitCode: z.int(), OOMKilled: z.boolean() }),
  RestartCount: z.int(),
});

export class ComposeStack {
  private constructor(
    private readonly folder: string,
    private readonly project: string,
    private readonly environment: NodeJS.ProcessEnv,
    /** Where the API, the dashboard and Prometheus are published on this machine. */
    readonly ports: { readonly api: number; readonly dashboard: number; readonly prometheus: number },
    /** Every secret of it. */
    readonly secrets: readonly string[],
  ) {}

  static async create(): Promise<ComposeStack> {
    const folder = await dataFolder('stratum-compose-');
    const file = join(folder, '.env');
    const made = await runProgram(join(ROOT, 'deploy/secrets.sh'), [file]);
    if (made.code !== 0) throw new Error(made.stderr);
    const [api, dashboard, prometheus, grafana] = await Promise.all(Array.from({ length: 4 }, freePort));
    const images = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => /^DOCKER_|_IMAGE$/.test(name)),
    );
    const environment = {
      ...images,
      COMPOSE_ENV_FILES: file,
      API_PORT: String(api),
      DASHBOARD_PORT: String(dashboard),
      PROMETHEUS_PORT: String(prometheus),
      GRAFANA_PORT: String(grafana),
    };
    const secrets = (await readFile(file, 'utf8'))
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => line.slice(line.indexOf('=') + 1));
    const project = `stratum-test-${randomBytes(4).toString('hex')}`;
    return new ComposeStack(
      folder,
      project,
      environment,
      { api: Number(api), dashboard: Number(dashboard), prometheus: Number(prometheus) },
      secrets,
    );
  }

  /** Runs `docker compose <args>` on this stack. */
  compose(args: readonly string[]): Promise<Ran> {
    const file = ['-f', join(ROOT, 'deploy/compose.yaml'), '-p', this.project];
    return runProgram('docker', ['compose', ...file, ...args], this.environment);
  }

  /** Builds the images, and waits until every service is healthy. Grafana runs where its image is at hand. */
  async up(args: readonly string[] = []): Promise<void> {
    const hasGrafana =
      (await runProgram('docker', ['image', 'inspect', GRAFANA], this.environment)).code === 0;
    const without = hasGrafana ? [] : ['--scale', 'grafana=0'];
    const ran = await this.compose(['up', '--build', '--wait', '--pull', 'never', ...without, ...args]);
    if (ran.code !== 0) {
      const logs = await this.compose(['logs', '--tail', '20']);
      throw new Error(`docker compose up failed:\n${ran.stderr.slice(-4_000)}\n${logs.stdout.slice(-8_000)}`);
    }
  }

  /** Runs `stratum <args>` in a container, and reads the JSON that it prints. */
  async stratum<T>(schema: z.ZodType<T>, args: readonly string[]): Promise<T> {
    const ran = await this.compose(['run', '--rm', '-T', 'stratum', ...args, '--json']);
    if (ran.code !== 0) throw new Error(`stratum ${args.join(' ')}: ${ran.stderr}\n${ran.stdout}`);
    return schema.parse(JSON.parse(ran.stdout));
  }

  async containers(): Promise<ComposeContainer[]> {
    const { stdout } = await this.compose(['ps', '--all', '--format', 'json']);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => containerSchema.parse(JSON.parse(line)));
  }

  async inspect(container: string): Promise<z.infer<typeof inspectedSchema>> {
    const { stdout } = await runProgram('docker', ['inspect', container], this.environment);
    const [inspected] = z.array(inspectedSchema).parse(JSON.parse(stdout));
    if (inspected === undefined) throw new Error(`There is no container ${container}.`);
    return inspected;
  }

  /** Bytes of the image of a service. */
  async imageSize(service: string): Promise<number> {
    const args = ['image', 'inspect', '--format', '{{.Size}}', `stratum/${service}`];
    return Number((await runProgram('docker', args, this.environment)).stdout);
  }

  /** A file of an image. */
  async fileIn(service: string, file: string): Promise<string> {
    const args = ['run', '--rm', '--entrypoint', 'cat', `stratum/${service}`, file];
    return (await runProgram('docker', args, this.environment)).stdout;
  }

  async remove(): Promise<void> {
    await this.compose(['down', '--volumes', '--timeout', '5', '--remove-orphans']);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The page of the reference about the ad platforms, from their definitions. */
import { adPlatform, PLATFORM_NAMES } from '@stratum/connectors/ad-platforms';

const INTRODUCTION = `# Ad platforms

<!-- Written by \`stratum reference\` from the platforms' definitions; a test compares it. -->

What \`stratum accounts connect\` takes for each platform, and the environment variables that say where it is.
`;

export function platformsPage(): string {
  return [INTRODUCTION, ...PLATFORM_NAMES.map(section)].join('\n');
}

function section(name: (typeof PLATFORM_NAMES)[number]): string {
  const { title, accountIdHelp, credentialsHelp, attributionLagDays, attributionWindowDays, endpoints } =
    adPlatform(name);
  const credentials = credentialsHelp.replace(/^\{.*?\}/, (fields) => `\`${fields}\``);
  const facts = [
    `Platform: \`${name}\``,
    `Account: ${accountIdHelp}`,
    `Credentials: ${credentials}`,
    `Restated days, read again by each sync: ${attributionLagDays}; by one sync a day: ${attributionWindowDays}`,
    ...Object.entries(endpoints).map(
      ([variable, endpoint]) => `\`${variable}\`, default \`${endpoint.default}\`: ${endpoint.description}`,
    ),
  ];
  return `## ${title}\n\n${facts.map((fact) => `- ${fact}\n`).join('')}`;
}

/** The secrets among the settings, found by comparing what is set with what is shown of it. */
import { HIDDEN, type Setting } from './settings.js';

/** Every text that `printSettings` would hide. Settings that are not valid have none: their program does not start. */
export function hiddenIn(
  settings: Readonly<Record<string, Setting<unknown>>>,
  environment: NodeJS.ProcessEnv,
): string[] {
  return Object.entries(settings).flatMap(([name, setting]) => {
    const text = environment[name];
    if (text === undefined || text === '') return [];
    try {
      return hiddenParts(text, setting.print(setting.read(text)));
    } catch {
      return [];
    }
  });
}

function hiddenParts(text: string, printed: string): string[] {
  const shown = printed.split(HIDDEN);
  if (shown.length === 1) return [];
  const pattern = shown.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)).join('(.+?)');
  return new RegExp(`^${pattern}$`, 's').exec(text)?.slice(1) ?? [text];
}

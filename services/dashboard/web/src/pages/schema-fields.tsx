/** The fields of a JSON Schema, for people who write a value of it. */
import type { JSX } from 'preact';

export function SchemaFields({ schema }: { schema: Record<string, unknown> }): JSX.Element {
  const required = new Set(listOf(schema['required']).map(String));
  const fields = Object.entries(recordOf(schema['properties']));
  if (fields.length === 0) return <p class="faint">The task takes no fields.</p>;
  return (
    <ul class="fields">
      {fields.map(([name, value]) => {
        const field = recordOf(value);
        return (
          <li key={name}>
            <code>{name}</code> <span class="faint">{typeOf(field)}</span>
            {!required.has(name) && <span class="faint">, optional</span>}
            {typeof field['description'] === 'string' && <p class="second">{field['description']}</p>}
          </li>
        );
      })}
    </ul>
  );
}

function typeOf(schema: Record<string, unknown>): string {
  const choices = listOf(schema['enum']);
  if (choices.length > 0) return choices.map((choice) => JSON.stringify(choice)).join(' or ');
  if ('const' in schema) return JSON.stringify(schema['const']);
  const any = [...listOf(schema['anyOf']), ...listOf(schema['oneOf'])];
  if (any.length > 0) return [...new Set(any.map((each) => typeOf(recordOf(each))))].join(' or ');
  const type = schema['type'];
  if (type === 'array') return `list of ${typeOf(recordOf(schema['items']))}`;
  if (typeof schema['format'] === 'string') return schema['format'];
  return typeof type === 'string' ? type : 'any value';
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

// The reference of the custom resources, made of their schemas: one page of Markdown for each kind.
import { parse } from 'yaml';

export type Schema = {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-validations'?: { rule: string; message: string }[];
};

export type CustomResource = {
  spec: {
    names: { kind: string; plural: string; shortNames?: string[] };
    group: string;
    versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
  };
};

/** A field of a resource with its path: `spec.zookeeper.replicas`, `status.conditions[].type`, `spec.labels.*`. */
export type Field = { path: string; schema: Schema };

/** @param text of a file in crds/, with its anchors */
export function readCustomResource(text: string): CustomResource {
  return parse(text, { merge: true }) as CustomResource;
}

/** All fields that the resource itself defines, parents before their children. */
export function fieldsOf(resource: CustomResource): Field[] {
  const [version] = resource.spec.versions;
  return version ? [...childrenOf({ path: '', schema: version.schema.openAPIV3Schema })] : [];
}

function* childrenOf({ path, schema }: Field): Generator<Field> {
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    // What Kubernetes itself defines.
    if (path === '' && ['apiVersion', 'kind', 'metadata'].includes(name)) continue;
    const field = { path: path === '' ? name : `${path}.${name}`, schema: child };
    yield field;
    yield* childrenOf(field);
  }
  if (schema.items) yield* childrenOf({ path: `${path}[]`, schema: schema.items });
  if (schema.additionalProperties)
    yield* childrenOf({ path: `${path}.*`, schema: schema.additionalProperties });
}

/** The page of a resource. */
export function pageOf(resource: CustomResource): string {
  const { names, group, versions } = resource.spec;
  const [version] = versions;
  const fields = fieldsOf(resource);
  const part = (name: 'spec' | 'status'): Field[] =>
    fields.filter(({ path }) => path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[`));
  const rules = [{ path: names.kind, schema: version?.schema.openAPIV3Schema ?? {} }, ...fields].flatMap(
    ({ path, schema }) =>
      (schema['x-kubernetes-validations'] ?? []).map(({ message }) => `- \`${path}\`: ${message}`),
  );
  return [
    `# ${names.kind} (${group}/${version?.name})`,
    version?.schema.openAPIV3Schema.description ?? '',
    `\`kubectl get ${[names.plural, ...(names.shortNames ?? [])].join('` or `kubectl get ')}\`. Made of the schema by \`npm run docs\`.`,
    '## Spec',
    tableOf(part('spec')),
    '## Refused',
    'What the API server says no to, besides types and bounds:',
    [...new Set(rules)].join('\n'),
    '## Status',
    tableOf(part('status')),
    '',
  ].join('\n\n');
}

function tableOf(fields: readonly Field[]): string {
  const rows = fields.map(({ path, schema }) =>
    [`\`${path}\``, typeOf(schema), defaultOf(schema), schema.description ?? ''].map(cell).join(' | '),
  );
  return [
    '| Field | Type | Default | |',
    '| --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim();

function typeOf(schema: Schema): string {
  const { type, items, additionalProperties, minimum, maximum, maxLength, maxItems } = schema;
  const bounds = [
    minimum !== undefined && `≥ ${minimum}`,
    maximum !== undefined && `≤ ${maximum}`,
    maxLength !== undefined && `at most ${maxLength} characters`,
    maxItems !== undefined && `at most ${maxItems}`,
  ].filter((bound) => bound !== false);
  const name = schema.enum
    ? schema.enum.map((value) => `\`${String(value)}\``).join(', ')
    : schema['x-kubernetes-int-or-string']
      ? 'quantity'
      : items
        ? `list of ${typeOf(items)}`
        : additionalProperties
          ? `map of ${typeOf(additionalProperties)}`
          : (type ?? '');
  return [name, ...bounds].join(', ');
}

function defaultOf({ default: value }: Schema): string {
  if (value === undefined || (typeof value === 'object' && value && Object.keys(value).length === 0))
    return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/** docker-compose.yml, as data. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

type ComposeService = {
  readonly image: string;
  readonly build: string | { readonly context: string; readonly dockerfile: string };
  readonly restart: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly networks: readonly string[];
  readonly mem_limit: string;
  readonly cpus: number;
  readonly pids_limit: number;
  readonly healthcheck: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes: readonly string[];
};

export type Compose = {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: Readonly<Record<string, null>>;
};

const FILE = fileURLToPath(new URL('../../docker-compose.yml', import.meta.url));

/** With the password as it is when none is set. */
export function readCompose(): Compose {
  const text = readFileSync(FILE, 'utf8').replace(/\$\{DISTCACHE_REQUIREPASS:-\}/g, '');
  return parse(text, { merge: true }) as Compose;
}

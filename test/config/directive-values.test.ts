/** Values of each type of directive: canonical texts, refusals and typed values, without an oracle. */
import { describe, expect, it } from 'vitest';
import type { Directive } from '../../src/config/directive.ts';
import { parseDirectiveValue, typedValue } from '../../src/config/directive-values.ts';
import {
  allowedValues,
  DIRECTIVES,
  defaultText,
  directiveNames,
  findDirective,
} from '../../src/config/directives.ts';

function named(name: string): Directive {
  const directive = findDirective(name);
  if (directive === undefined) throw new Error(`no directive ${name}`);
  return directive;
}

/** The canonical text, or the problem after an exclamation mark. */
function parse(name: string, text: string, previous = ''): string {
  const parsed = parseDirectiveValue(named(name), text, previous);
  return 'text' in parsed ? parsed.text : `!${parsed.problem}`;
}

describe('the value of a directive', () => {
  it('is a whole number within its range', () => {
    expect(parse('timeout', '0')).toBe('0');
    expect(parse('slowlog-log-slower-than', '9223372036854775807')).toBe('9223372036854775807');
    for (const text of ['', '+1', '01', '-0', ' 1', '1 ', '1.0', 'x', '9223372036854775808']) {
      expect(parse('slowlog-log-slower-than', text), text).toBe(
        "!argument couldn't be parsed into an integer",
      );
    }
    expect(parse('maxclients', '4294967296')).toBe('!argument must be between 1 and 4294967295 inclusive');
    expect(parse('databases', '65')).toBe('!argument must be between 1 and 64 inclusive');
  });

  it('is an octal number', () => {
    expect(parse('unixsocketperm', '0770')).toBe('770');
    expect(parse('unixsocketperm', '8')).toBe("!argument couldn't be parsed as an octal number");
    expect(parse('unixsocketperm', '1000')).toBe('!argument must be between 0 and 777 inclusive');
    expect(typedValue(named('unixsocketperm'), '770')).toBe(0o770);
  });

  it('is a size, in bytes', () => {
    expect(parse('proto-max-bulk-len', '1MB')).toBe('1048576');
    expect(parse('proto-max-bulk-len', '1kb')).toBe(
      '!argument must be between 1048576 and 9223372036854775807 inclusive',
    );
    expect(parse('proto-max-bulk-len', '')).toBe('!argument must be a memory value');
    expect(parse('maxmemory-clients', '5%')).toBe('5%');
    expect(parse('maxmemory-clients', '101%')).toBe('!percentage argument must be less or equal to 100');
    expect(parse('maxmemory-clients', '%')).toBe('!argument must be a memory or percent value');
  });

  it('is a choice, in any case', () => {
    expect(parse('protected-mode', 'YES')).toBe('yes');
    expect(parse('protected-mode', '1')).toBe("!argument must be 'yes' or 'no'");
    expect(parse('appendfsync', 'Always')).toBe('always');
    expect(parse('appendfsync', 'x')).toBe('!argument(s) must be one of the following: everysec, always, no');
    expect(parse('shutdown-on-sigint', 'FORCE now')).toBe('now force');
    expect(parse('shutdown-on-sigint', 'default save')).toBe('save');
    expect(parse('shutdown-on-sigint', 'save nosave')).toMatch(/^!shutdown options/);
  });

  it('is text that its directive checks', () => {
    expect(parse('dbfilename', 'a/b')).toBe("!dbfilename can't be a path, just a filename");
    expect(parse('appendfilename', '')).toBe("!appendfilename can't be empty");
    expect(parse('appendfilename', 'a/b')).toBe("!appendfilename can't be a path, just a filename");
    expect(parse('appenddirname', '')).toBe("!appenddirname can't be empty");
    expect(parse('appenddirname', 'a/b')).toBe("!appenddirname can't be a path, just a dirname");
    expect(parse('cluster-announce-hostname', 'a_b')).toMatch(/^!Hostnames may only contain/);
    expect(parse('cluster-announce-hostname', 'a'.repeat(256))).toBe(
      '!Hostnames must be less than 256 characters',
    );
    expect(parse('proc-title-template', '{title} {port}')).toBe('{title} {port}');
    expect(parse('proc-title-template', '{other}')).toMatch(/^!template format is invalid/);
  });

  it('is pairs of seconds and changes', () => {
    expect(parse('save', '60 1 300 10')).toBe('60 1 300 10');
    expect(parse('save', '')).toBe('');
    for (const text of ['60', '0 1', '60 -1', '60 x', '60  1']) {
      expect(parse('save', text), text).toBe('!Invalid save parameters');
    }
    expect(typedValue(named('save'), '')).toEqual([]);
  });

  it('is output limits, where classes that are not named stay', () => {
    const previous = 'normal 1 2 3 slave 4 5 6 pubsub 7 8 9';
    const name = 'client-output-buffer-limit';
    expect(parse(name, 'replica 1kb 0 0', previous)).toBe('normal 1 2 3 slave 1024 0 0 pubsub 7 8 9');
    expect(parse(name, '', previous)).toBe(previous);
    expect(parse(name, 'normal 1 2', previous)).toMatch(/^!Wrong number of arguments/);
    expect(parse(name, 'master 1 2 3', previous)).toMatch(/^!Invalid client class/);
    expect(parse(name, 'normal 1 2 -3', previous)).toMatch(/^!Error in hard, soft or soft_seconds/);
    expect(typedValue(named(name), previous)).toEqual({
      normal: { hardBytes: 1, softBytes: 2, softSeconds: 3 },
      replica: { hardBytes: 4, softBytes: 5, softSeconds: 6 },
      pubsub: { hardBytes: 7, softBytes: 8, softSeconds: 9 },
    });
  });

  it('is classes of key events, percentiles, scores or an address', () => {
    expect(parse('notify-keyspace-events', 'Kg$lshzxetd')).toBe('AK');
    expect(parse('notify-keyspace-events', 'mnKEA')).toBe('AnKEm');
    expect(parse('notify-keyspace-events', 'q')).toMatch(/^!Invalid event class character/);
    expect(parse('latency-tracking-info-percentiles', '50 99.990')).toBe('50 99.99');
    expect(parse('latency-tracking-info-percentiles', '101')).toMatch(/should sit between/);
    expect(parse('latency-tracking-info-percentiles', 'x')).toMatch(/^!Invalid latency/);
    expect(parse('oom-score-adj-values', '1 2 2001')).toMatch(/^!Invalid oom-score-adj-values/);
    expect(parse('oom-score-adj-values', '1 2')).toBe('!wrong number of arguments');
    expect(parse('replicaof', 'host 6379')).toBe('host 6379');
    expect(parse('replicaof', 'NO ONE')).toBe('');
    expect(parse('replicaof', 'host')).toBe('!wrong number of arguments');
    expect(parse('replicaof', 'host 70000')).toBe('!Invalid master port');
  });
});

describe('the table', () => {
  it('has a default for every directive that is allowed and canonical once parsed', () => {
    for (const directive of DIRECTIVES.filter(({ computed }) => computed === undefined)) {
      const text = defaultText(directive);
      expect(parse(directive.name, text), directive.name).toBe(text);
    }
  });

  it('bounds every number', () => {
    for (const { name, type, min, max } of DIRECTIVES) {
      const numeric = ['int', 'octal', 'memory', 'memory-or-percent'].includes(type);
      expect(min !== undefined && max !== undefined, name).toBe(numeric);
    }
  });

  it('gives values to every choice and says what each directive is for', () => {
    for (const { name, type, values, doc } of DIRECTIVES) {
      expect(values !== undefined, name).toBe(type === 'enum' || type === 'flags');
      expect(doc, name).toMatch(/\.$/);
    }
  });

  it('says in words what each directive allows', () => {
    for (const directive of DIRECTIVES) expect(allowedValues(directive), directive.name).toMatch(/\w/);
    expect(allowedValues(named('port'))).toBe('a whole number, 0 to 65535');
    expect(allowedValues(named('unixsocketperm'))).toBe('an octal number, 0 to 777');
  });

  it('finds names and aliases in any case', () => {
    for (const name of directiveNames()) expect(findDirective(name.toUpperCase())).toBe(findDirective(name));
    expect(findDirective('slave-priority')?.name).toBe('replica-priority');
    expect(findDirective('nope')).toBeUndefined();
  });
});

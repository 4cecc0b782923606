/** What a differential run takes for a difference, and what not. */
import { describe, expect, it } from 'vitest';
import type { Command } from '../support/differential/grammar.ts';
import { commandsForRedis, createJudge, judgeExchange } from '../support/differential/judge.ts';

function judged(command: Command, reply: string, ...answers: string[]): string | undefined {
  const asked = commandsForRedis(command, reply);
  expect(answers).toHaveLength(asked.length);
  return judgeExchange(createJudge(false), { command, reply, asked, answers });
}

describe('replies', () => {
  it('agree byte by byte', () => {
    expect(judged(['GET', 'a'], '$1\r\nx\r\n', '$1\r\nx\r\n')).toBeUndefined();
    expect(judged(['GET', 'a'], '$1\r\nx\r\n', '$1\r\ny\r\n')).toBe('the replies differ');
    expect(judged(['LRANGE', 'a', '0', '1'], '*2\r\n:1\r\n:2\r\n', '*2\r\n:2\r\n:1\r\n')).toBe(
      'the replies differ',
    );
  });

  it('of sets and hashes agree in any order, with their values', () => {
    expect(
      judged(['SMEMBERS', 'a'], '*2\r\n$1\r\nx\r\n$1\r\ny\r\n', '*2\r\n$1\r\ny\r\n$1\r\nx\r\n'),
    ).toBeUndefined();
    expect(
      judged(['HGETALL', 'a'], '*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n', '*4\r\n:3\r\n:4\r\n:1\r\n:2\r\n'),
    ).toBeUndefined();
    expect(judged(['HGETALL', 'a'], '*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n', '*4\r\n:1\r\n:4\r\n:3\r\n:2\r\n')).toBe(
      'the replies differ',
    );
  });

  it('of hashes that keep their order agree in that one alone', () => {
    const asked = [['HKEYS', 'a']];
    const exchange = {
      command: asked[0],
      reply: '*2\r\n:1\r\n:2\r\n',
      asked,
      answers: ['*2\r\n:2\r\n:1\r\n'],
    };
    expect(judgeExchange(createJudge(true), exchange)).toBe('the replies differ');
    expect(judgeExchange(createJudge(false), exchange)).toBeUndefined();
  });

  it('of deadlines agree when they are near', () => {
    expect(judged(['TTL', 'a'], ':100\r\n', ':99\r\n')).toBeUndefined();
    expect(judged(['TTL', 'a'], ':100\r\n', ':10\r\n')).toBe('the replies differ');
    expect(judged(['TTL', 'a'], ':0\r\n', ':-1\r\n')).toBe('the replies differ');
  });
});

describe('what is taken at random', () => {
  const popped = '*2\r\n$1\r\nx\r\n$1\r\ny\r\n';

  it('is taken from the other server too', () => {
    expect(commandsForRedis(['SPOP', 'a', '2'], popped)).toEqual([
      ['SCARD', 'a'],
      ['SREM', 'a', Buffer.from('x'), Buffer.from('y')],
    ]);
    expect(judged(['SPOP', 'a', '2'], popped, ':5\r\n', ':2\r\n')).toBeUndefined();
  });

  it('must be there, and as much as was asked for', () => {
    expect(judged(['SPOP', 'a', '2'], popped, ':5\r\n', ':1\r\n')).toContain('not all in the set');
    expect(judged(['SPOP', 'a', '3'], popped, ':5\r\n', ':2\r\n')).toContain('of 3');
    expect(judged(['SPOP', 'a', '3'], popped, ':2\r\n', ':2\r\n')).toBeUndefined();
  });
});

describe('what is drawn at random', () => {
  it('must be there, once where a positive count asks for it', () => {
    const other = '*2\r\n$1\r\nu\r\n$1\r\nv\r\n';
    expect(
      judged(['SRANDMEMBER', 'a', '2'], '*2\r\n$1\r\nx\r\n$1\r\ny\r\n', other, '*2\r\n:1\r\n:1\r\n'),
    ).toBeUndefined();
    expect(
      judged(['SRANDMEMBER', 'a', '2'], '*2\r\n$1\r\nx\r\n$1\r\ny\r\n', other, '*2\r\n:1\r\n:0\r\n'),
    ).toContain('not there');
    expect(
      judged(['SRANDMEMBER', 'a', '2'], '*2\r\n$1\r\nx\r\n$1\r\nx\r\n', other, '*2\r\n:1\r\n:1\r\n'),
    ).toContain('twice');
    expect(
      judged(['SRANDMEMBER', 'a', '-2'], '*2\r\n$1\r\nx\r\n$1\r\nx\r\n', other, '*2\r\n:1\r\n:1\r\n'),
    ).toBeUndefined();
  });

  it('must be as many, with the values that are there', () => {
    const pair = '*2\r\n$1\r\nx\r\n$1\r\n1\r\n';
    const command = ['HRANDFIELD', 'a', '1', 'WITHVALUES'];
    expect(judged(command, pair, '*2\r\n$1\r\ny\r\n$1\r\n2\r\n', '*1\r\n$1\r\n1\r\n')).toBeUndefined();
    expect(judged(command, pair, '*2\r\n$1\r\ny\r\n$1\r\n2\r\n', '*1\r\n$1\r\n2\r\n')).toContain(
      'other values',
    );
    expect(judged(command, pair, '*0\r\n', '*1\r\n$1\r\n1\r\n')).toContain('other forms');
  });
});

describe('a transaction', () => {
  it('is judged command by command', () => {
    const judge = createJudge(false);
    const told = (command: Command, reply: string, answer: string) =>
      judgeExchange(judge, { command, reply, asked: [command], answers: [answer] });
    for (const last of [':1\r\n', ':2\r\n']) {
      expect(told(['MULTI'], '+OK\r\n', '+OK\r\n')).toBeUndefined();
      expect(told(['SMEMBERS', 'a'], '+QUEUED\r\n', '+QUEUED\r\n')).toBeUndefined();
      expect(told(['LLEN', 'b'], '+QUEUED\r\n', '+QUEUED\r\n')).toBeUndefined();
      const complaint = told(['EXEC'], '*2\r\n*2\r\n:1\r\n:2\r\n:1\r\n', `*2\r\n*2\r\n:2\r\n:1\r\n${last}`);
      expect(complaint).toBe(last === ':1\r\n' ? undefined : 'the replies to LLEN differ');
    }
  });
});

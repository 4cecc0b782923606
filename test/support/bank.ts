/**
 * A bank on a server: accounts over all shards, connections that move money between them in transactions, and auditors.
 *
 * Money is neither made nor lost: every audit finds the same sum, and at the end every account has what those who were told that
 * their transfer was made have left it with. A lost update or a transfer that is seen half shows in one or the other.
 */
import { Buffer } from 'node:buffer';
import { requestBytes } from './request-bytes.ts';
import { createRandom, type Random } from './seeded-random.ts';
import { openWire, type Wire } from './wire.ts';

export type BankOptions = {
  readonly port: number;
  readonly seed: number;
  readonly accounts: number;
  /** Transfers that are to be made, by all clients together. */
  readonly transfers: number;
  /** Connections that move money with MULTI and EXEC alone; that read, decide and write under WATCH; that audit. */
  readonly movers: number;
  readonly watchers: number;
  readonly auditors: number;
  /** Transfers that a mover sends ahead of their replies. */
  readonly depth: number;
};

export type BankReport = {
  readonly transfers: number;
  /** Transfers under WATCH that were turned down, because an account had changed. */
  readonly turnedDown: number;
  readonly audits: number;
  /** What is wrong; empty when all is well. */
  readonly findings: readonly string[];
};

type Bank = BankOptions & {
  /** What the transfers that were made come to, for each account. */
  readonly changes: Float64Array;
  made: number;
  turnedDown: number;
  audits: number;
  readonly findings: string[];
};

const START_BALANCE = 1_000;
const AMOUNT_MAX = 100;
const FINDINGS_MAX = 10;
/** Watched transfers keep to these, so that some are turned down. */
const BUSY_ACCOUNTS = 16;

/** Opens the accounts, has all clients work until the transfers are made, and audits a last time. */
export async function runBank(options: BankOptions): Promise<BankReport> {
  const { accounts, movers, watchers, auditors, port } = options;
  const bank: Bank = {
    ...options,
    ...{ changes: new Float64Array(accounts), made: 0, turnedDown: 0, audits: 0, findings: [] },
  };
  const opener = await openWire(port);
  await opener.ask(
    'MSET',
    ...Array.from({ length: accounts }, (_, i) => [accountKey(i), `${START_BALANCE}`]).flat(),
  );
  const clients = [
    ...Array.from({ length: movers }, () => moveMoney),
    ...Array.from({ length: watchers }, () => moveWatched),
    ...Array.from({ length: auditors }, () => audit),
  ];
  await Promise.all(
    clients.map(async (work, index) => {
      const wire = await openWire(port);
      await work(bank, wire, createRandom(options.seed + index));
      wire.close();
    }),
  );
  await closeBooks(bank, opener);
  opener.close();
  const { made, turnedDown, audits, findings } = bank;
  return { transfers: made, turnedDown, audits, findings };
}

/** Transfers of which nobody needs to know the balances, several on their way at a time. */
async function moveMoney(bank: Bank, wire: Wire, random: Random): Promise<void> {
  while (!isDone(bank)) {
    const batch = Array.from({ length: bank.depth }, () => chooseTransfer(random, bank.accounts));
    wire.socket.write(
      Buffer.concat(
        batch.flatMap(({ from, to, amount }) => [
          requestBytes('MULTI'),
          requestBytes('DECRBY', accountKey(from), `${amount}`),
          requestBytes('INCRBY', accountKey(to), `${amount}`),
          requestBytes('EXEC'),
        ]),
      ),
    );
    for (const transfer of batch) {
      for (const due of ['+OK', '+QUEUED', '+QUEUED']) expectReply(bank, await wire.reply(), due);
      const replies = await wire.reply();
      if (Array.isArray(replies) && replies.length === 2) note(bank, transfer);
      else report(bank, `EXEC answered ${String(replies)}`);
    }
  }
}

/** Transfers that read both balances and write new ones, if neither account has changed. */
async function moveWatched(bank: Bank, wire: Wire, random: Random): Promise<void> {
  while (!isDone(bank)) {
    const transfer = chooseTransfer(random, Math.min(BUSY_ACCOUNTS, bank.accounts));
    const [from, to] = [accountKey(transfer.from), accountKey(transfer.to)];
    expectReply(bank, await wire.ask('WATCH', from, to), '+OK');
    const [one, other] = (await wire.ask('MGET', from, to)) as [string, string];
    await wire.ask('MULTI');
    await wire.ask('SET', from, `${Number(one) - transfer.amount}`);
    await wire.ask('SET', to, `${Number(other) + transfer.amount}`);
    if ((await wire.ask('EXEC')) === null) bank.turnedDown += 1;
    else note(bank, transfer);
  }
}

/** All balances at one moment: in one command, in one transaction of two, and in one of a command for each. */
async function audit(bank: Bank, wire: Wire, random: Random): Promise<void> {
  const keys = Array.from({ length: bank.accounts }, (_, i) => accountKey(i));
  const half = keys.length >> 1;
  while (!isDone(bank)) {
    const way = random(3);
    if (way === 0) {
      checkSum(bank, 'MGET', (await wire.ask('MGET', ...keys)) as string[]);
      continue;
    }
    const commands =
      way === 1
        ? [
            ['MGET', ...keys.slice(0, half)],
            ['MGET', ...keys.slice(half)],
          ]
        : keys.map((key) => ['GET', key]);
    const requests = [['MULTI'], ...commands, ['EXEC']].map((command) => requestBytes(...command));
    wire.socket.write(Buffer.concat(requests));
    for (let left = commands.length + 1; left > 0; left -= 1) await wire.reply();
    const replies = (await wire.reply()) as (Buffer | Buffer[])[];
    checkSum(bank, `${commands.length} reads in a transaction`, replies.flat().map(String));
  }
}

async function closeBooks(bank: Bank, wire: Wire): Promise<void> {
  const keys = Array.from({ length: bank.accounts }, (_, i) => accountKey(i));
  const balances = (await wire.ask('MGET', ...keys)) as string[];
  checkSum(bank, 'the last audit', balances);
  for (const [index, balance] of balances.entries()) {
    const due = START_BALANCE + bank.changes[index];
    if (Number(balance) !== due) report(bank, `${keys[index]} has ${balance} where ${due} is due`);
  }
}

function checkSum(bank: Bank, where: string, balances: readonly string[]): void {
  bank.audits += 1;
  const sum = balances.reduce((total, balance) => total + Number(balance), 0);
  const due = bank.accounts * START_BALANCE;
  if (sum !== due) report(bank, `${where} found ${sum} where ${due} is due`);
}

function chooseTransfer(random: Random, accounts: number) {
  const from = random(accounts);
  const to = (from + 1 + random(accounts - 1)) % accounts;
  return { from, to, amount: 1 + random(AMOUNT_MAX) };
}

function note(bank: Bank, { from, to, amount }: ReturnType<typeof chooseTransfer>): void {
  bank.changes[from] -= amount;
  bank.changes[to] += amount;
  bank.made += 1;
}

function expectReply(bank: Bank, reply: unknown, due: string): void {
  if (reply !== due) report(bank, `${String(reply)} was answered where ${due} was due`);
}

function report(bank: Bank, finding: string): void {
  if (bank.findings.length < FINDINGS_MAX) bank.findings.push(finding);
}

/** What is wrong does not get better. */
function isDone(bank: Bank): boolean {
  return bank.made >= bank.transfers || bank.findings.length > 0;
}

function accountKey(index: number): string {
  return `account:${index}`;
}

/** What Linux tells of a process under /proc: processor time, memory in RAM, preemptions. */
import { readdirSync, readFileSync } from 'node:fs';

/** The kernel tells times in ticks of 1/100 s (USER_HZ) on every architecture that Node runs on; see proc(5). */
const TICKS_PER_SECOND = 100;

/** In /proc/PID/stat behind the name, which may hold spaces and parentheses: utime and stime, see proc_pid_stat(5). */
const USER_TICKS_FIELD = 11;
const SYSTEM_TICKS_FIELD = 12;
/** The same of the children that have ended and were waited for: cutime and cstime. */
const REAPED_USER_TICKS_FIELD = 13;
const REAPED_SYSTEM_TICKS_FIELD = 14;

/** Seconds of processor time, user and system, of all threads of a process, to 1/100 s. */
export function cpuSecondsOf(pid: number): number {
  return cpuSecondsFromStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}

/** Seconds of processor time of all processes that this one has started and that have ended, to 1/100 s. */
export function reapedCpuSeconds(): number {
  return reapedCpuSecondsFromStat(readFileSync('/proc/self/stat', 'latin1'));
}

/** Bytes of the process that are in RAM. */
export function residentBytesOf(pid: number): number {
  return 1024 * statusNumber(readFileSync(`/proc/${pid}/status`, 'latin1'), 'VmRSS');
}

/** The most bytes of the process that were in RAM at any moment so far. */
export function peakResidentBytesOf(pid: number): number {
  return 1024 * statusNumber(readFileSync(`/proc/${pid}/status`, 'latin1'), 'VmHWM');
}

/** How often the kernel took the processor from a thread of the process that wanted to go on. */
export function preemptionsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, 'latin1');
    return sum + statusNumber(status, 'nonvoluntary_ctxt_switches');
  }, 0);
}

/** As `cpuSecondsOf`, from the text of /proc/PID/stat. */
export function cpuSecondsFromStat(stat: string): number {
  return secondsIn(stat, USER_TICKS_FIELD, SYSTEM_TICKS_FIELD);
}

/** As `reapedCpuSeconds`, from the text of /proc/PID/stat. */
export function reapedCpuSecondsFromStat(stat: string): number {
  return secondsIn(stat, REAPED_USER_TICKS_FIELD, REAPED_SYSTEM_TICKS_FIELD);
}

function secondsIn(stat: string, userField: number, systemField: number): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[userField]) + Number(fields[systemField])) / TICKS_PER_SECOND;
}

/** The number of a line `name:   123 kB` of /proc/PID/status. Throws where there is no such line. */
export function statusNumber(status: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status);
  if (match === null) throw new Error(`/proc/PID/status has no ${name}`);
  return Number(match[1]);
}

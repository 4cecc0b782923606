/** What Linux tells of a process under /proc: processor time, memory in RAM, preemptions. */
import { readdirSync, readFileSync } from 'node:fs';

/** The kernel tells times in ticks of 1/100 s (USER_HZ) on every architecture that Node runs on; see proc(5). */
const TICKS_PER_SECOND = 100;

/** In /proc/PID/stat behind the name, which may hold spaces and parentheses: utime and stime, see proc_pid_stat(5). */
const USER_TICKS_FIELD = 11;
const SYSTEM_TICKS_FIELD = 12;

/** Seconds of processor time, user and system, of all threads of a process, to 1/100 s. */
export function cpuSecondsOf(pid: number): number {
  return cpuSecondsFromStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}

/** Bytes of the process that are in RAM. */
export function residentBytesOf(pid: number): number {
  return 1024 * statusNumber(readFileSync(`/proc/${pid}/status`, 'latin1'), 'VmRSS');
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
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_TICKS_FIELD]) + Number(fields[SYSTEM_TICKS_FIELD])) / TICKS_PER_SECOND;
}

/** The number of a line `name:   123 kB` of /proc/PID/status. Throws where there is no such line. */
export function statusNumber(status: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status);
  if (match === null) throw new Error(`/proc/PID/status has no ${name}`);
  return Number(match[1]);
}

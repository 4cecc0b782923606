/**
 * Numbers as people read them: three digits that matter, binary prefixes for bytes, one dash for what is not known. Pure.
 *
 * A number and its unit are apart by a narrow space that does not break, so that both can be set in sizes of their own.
 */

/** Between a number and its unit. */
const UNIT_SPACE = '\u202f';

/** In place of a number that is not known. */
const UNKNOWN = '–';

const COUNT_PREFIXES = ['', 'k', 'M', 'G', 'T', 'P'];
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const EXACT_COUNT_MAX = 10_000;
const BYTES_STEP = 1024;
const COUNT_STEP = 1000;
const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;
/** Above this a ratio shows its distance to one, rather than being rounded up to it. */
const NEARLY_ONE = 0.995;

/**
 * 0, 0.25, 7,312, 12.3k, 4.56M.
 * @param {number | null | undefined} value
 */
export function formatCount(value) {
  if (!isKnown(value)) return UNKNOWN;
  if (Math.abs(value) < EXACT_COUNT_MAX) {
    return Number.isInteger(value) || Math.abs(value) >= 100
      ? grouped(Math.round(value))
      : threeDigits(value);
  }
  const { scaled, step } = scale(value, COUNT_STEP, COUNT_PREFIXES.length);
  return `${threeDigits(scaled)}${COUNT_PREFIXES[step]}`;
}

/**
 * A whole number with all its digits: 1,234,567.
 * @param {number | null | undefined} value
 */
export function formatWhole(value) {
  return isKnown(value) ? grouped(Math.round(value)) : UNKNOWN;
}

/**
 * Per second: 12.3k /s.
 * @param {number | null | undefined} value
 */
export function formatRate(value) {
  return isKnown(value) ? `${formatCount(value)}${UNIT_SPACE}/s` : UNKNOWN;
}

/**
 * 512 B, 1.50 KiB, 12.3 GiB.
 * @param {number | null | undefined} bytes
 */
export function formatBytes(bytes) {
  if (!isKnown(bytes)) return UNKNOWN;
  const { scaled, step } = scale(bytes, BYTES_STEP, BYTE_UNITS.length);
  return `${step === 0 ? Math.round(scaled) : threeDigits(scaled)}${UNIT_SPACE}${BYTE_UNITS[step]}`;
}

/**
 * Bytes per second.
 * @param {number | null | undefined} bytes
 */
export function formatBytesRate(bytes) {
  return isKnown(bytes) ? `${formatBytes(bytes)}/s` : UNKNOWN;
}

/**
 * 0.35 µs, 123 µs, 4.56 ms, 7.89 s.
 * @param {number | null | undefined} us
 */
export function formatMicroseconds(us) {
  if (!isKnown(us)) return UNKNOWN;
  if (us < 999.5) return `${threeDigits(us)}${UNIT_SPACE}µs`;
  if (us < 999_500) return `${threeDigits(us / 1000)}${UNIT_SPACE}ms`;
  return `${threeDigits(us / 1_000_000)}${UNIT_SPACE}s`;
}

/** @param {number | null | undefined} ms */
export function formatMilliseconds(ms) {
  return isKnown(ms) ? formatMicroseconds(ms * 1000) : UNKNOWN;
}

/**
 * A span of time in its one fitting unit: 250 ms, 42.0 s, 15.1 m, 6.20 h, 3.50 d.
 * @param {number | null | undefined} seconds
 */
export function formatSeconds(seconds) {
  if (!isKnown(seconds)) return UNKNOWN;
  if (seconds === 0) return `0${UNIT_SPACE}s`;
  if (seconds < 2 * MINUTE_SECONDS) return formatMicroseconds(seconds * 1_000_000);
  if (seconds < 2 * HOUR_SECONDS) return `${threeDigits(seconds / MINUTE_SECONDS)}${UNIT_SPACE}m`;
  if (seconds < 2 * DAY_SECONDS) return `${threeDigits(seconds / HOUR_SECONDS)}${UNIT_SPACE}h`;
  return `${threeDigits(seconds / DAY_SECONDS)}${UNIT_SPACE}d`;
}

/**
 * A ratio as a part of a hundred: 0 %, 4.50 %, 91.3 %, 99.95 %; 100 % only for one itself.
 * @param {number | null | undefined} ratio
 */
export function formatPercent(ratio) {
  if (!isKnown(ratio)) return UNKNOWN;
  if (ratio > NEARLY_ONE && ratio < 1)
    return `${(Math.floor(ratio * 10_000) / 100).toFixed(2)}${UNIT_SPACE}%`;
  const percent = ratio * 100;
  return `${ratio === 1 ? '100' : threeDigits(percent)}${UNIT_SPACE}%`;
}

/**
 * A span of time in its two largest units: 8 s, 12 m 5 s, 3 h 20 m, 4 d 7 h.
 * @param {number | null | undefined} seconds
 */
export function formatAge(seconds) {
  if (!isKnown(seconds) || seconds < 0) return UNKNOWN;
  const whole = Math.floor(seconds);
  if (whole < MINUTE_SECONDS) return `${whole}${UNIT_SPACE}s`;
  if (whole < HOUR_SECONDS) return twoUnits(whole, MINUTE_SECONDS, 'm', 1, 's');
  if (whole < DAY_SECONDS) return twoUnits(whole, HOUR_SECONDS, 'h', MINUTE_SECONDS, 'm');
  return twoUnits(whole, DAY_SECONDS, 'd', HOUR_SECONDS, 'h');
}

/**
 * The time of the day where the browser is: 14:05:09.
 * @param {number | null | undefined} wallMs
 */
export function formatClock(wallMs) {
  if (!isKnown(wallMs)) return UNKNOWN;
  const date = new Date(wallMs);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':');
}

/**
 * Day and time where the browser is: 2026-11-22 14:05:09.
 * @param {number | null | undefined} wallMs
 */
export function formatMoment(wallMs) {
  if (!isKnown(wallMs)) return UNKNOWN;
  const date = new Date(wallMs);
  const day = [date.getFullYear(), twoDigits(date.getMonth() + 1), twoDigits(date.getDate())].join('-');
  return `${day} ${formatClock(wallMs)}`;
}

/**
 * The number and the unit of a text that this file wrote; the unit is '' where there is none.
 * @param {string} text
 * @returns {[number: string, unit: string]}
 */
export function splitUnit(text) {
  const at = text.indexOf(UNIT_SPACE);
  if (at >= 0) return [text.slice(0, at), text.slice(at + 1)];
  const prefix = /[kMGTP]$/.exec(text);
  return prefix ? [text.slice(0, -1), prefix[0]] : [text, ''];
}

/**
 * A text of this file for the axis of a chart, where 1.00 is as good as 1.
 * @param {string} text
 */
export function withoutTrailingZeros(text) {
  return text.replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, '');
}

/**
 * @param {number | null | undefined} value
 * @returns {value is number}
 */
function isKnown(value) {
  return typeof value === 'number' && Number.isFinite(value);
}

/** @param {number} value */
function threeDigits(value) {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 99.95) return String(Math.round(value));
  return value.toFixed(size >= 9.995 ? 1 : 2);
}

/** @param {number} value */
function grouped(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/**
 * The value over the largest power of the step that leaves three digits before the point.
 * @param {number} value
 * @param {number} base
 * @param {number} steps
 */
function scale(value, base, steps) {
  let scaled = value;
  let step = 0;
  while (Math.abs(scaled) >= 999.5 && step < steps - 1) {
    scaled /= base;
    step++;
  }
  return { scaled, step };
}

/**
 * @param {number} seconds
 * @param {number} large
 * @param {string} largeName
 * @param {number} small
 * @param {string} smallName
 */
function twoUnits(seconds, large, largeName, small, smallName) {
  const rest = Math.floor((seconds % large) / small);
  const first = `${Math.floor(seconds / large)}${UNIT_SPACE}${largeName}`;
  return rest === 0 ? first : `${first} ${rest}${UNIT_SPACE}${smallName}`;
}

/** @param {number} value */
function twoDigits(value) {
  return String(value).padStart(2, '0');
}

/** What the page expects of the server's answers is what the server's types promise. The compiler is the judge. */
import { expectTypeOf, test } from 'vitest';
import type { ConfigRow } from '../../../src/admin/config-routes.ts';
import type {
  HotKeyRow,
  MissRatioAnswer,
  RingAnswer,
  SampleAnswer,
  SettingRow,
  SlowLogRow,
  StateAnswer,
} from '../../../src/admin/dashboard/shapes.d.ts';
import type { LiveSample } from '../../../src/admin/history.ts';
import type { LiveState } from '../../../src/admin/live-state.ts';
import type { Ring } from '../../../src/admin/ring-routes.ts';
import type { HotKey } from '../../../src/commands/hot-keys.ts';
import type { MissRatioReading } from '../../../src/metrics/miss-ratio.ts';
import type { SlowLogEntry } from '../../../src/metrics/slow-log.ts';

test('the page reads what the server tells', () => {
  expectTypeOf<LiveSample>().toExtend<SampleAnswer>();
  expectTypeOf<LiveState>().toExtend<StateAnswer>();
  expectTypeOf<SlowLogEntry>().toExtend<SlowLogRow>();
  expectTypeOf<HotKey>().toExtend<HotKeyRow>();
  expectTypeOf<MissRatioReading>().toExtend<MissRatioAnswer>();
  expectTypeOf<Ring>().toExtend<RingAnswer>();
  expectTypeOf<ConfigRow>().toExtend<SettingRow>();
});

import { openAsBlob, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isPresent, sharedDataFolder } from '../../../e2e/golden';
import { AppError } from '../../base/errors';
import { quietTask } from '../../base/progress';
import { z } from '../../base/schema';
import { openRecording } from './open';
import { surviveMutations } from './testing';

/** Real recordings and what a correct parse of them gives. */
const folder = resolve(sharedDataFolder, 'events');
const present = isPresent(folder, 'Reading real recordings');
const number = z.number().nullable().optional();
const expectedSchema = z.record(
  z.string(),
  z.object({
    events: z.number().optional(),
    on: number,
    first_t_us: number,
    last_t_us: number,
    min_t_us: number,
    max_t_us: number,
    sum_x: number,
    sum_y: number,
    width: number,
    height: number,
  }),
);
const expectations = present ? Object.entries(expectedSchema.parse(JSON.parse(readFileSync(resolve(folder, 'expected.json'), 'utf8')))) : [];
const recordings = expectations.filter(([, { events }]) => events !== undefined);

describe.runIf(present)('real recordings', () => {
  it.each(recordings)('%s gives the numbers of a correct parse', async (name, expected) => {
    const recording = await openRecording({ blob: await openAsBlob(resolve(folder, name)), name }, {}, quietTask);
    await recording.scan(quietTask);
    const { events, on, firstUs, lastUs, minUs, maxUs, sumX, sumY, sensor } = recording.summary;
    const actual = {
      events,
      on,
      first_t_us: firstUs,
      last_t_us: lastUs,
      min_t_us: minUs,
      max_t_us: maxUs,
      sum_x: sumX,
      sum_y: sumY,
      // Where the file names no size, it is inferred.
      width: expected.width === null ? null : sensor.width,
      height: expected.height === null ? null : sensor.height,
    };
    expect(actual).toEqual(expected);
    recording.close();
  });

  it('a file that names no size gets the one that its events need', async () => {
    const recording = await openRecording({ blob: await openAsBlob(resolve(folder, 'ncars_cd.dat')), name: 'ncars_cd.dat' }, {}, quietTask);
    await recording.scan(quietTask);
    expect(recording.summary).toMatchObject({ sensor: { width: 78, height: 42 }, sensorIsKnown: false });
  });

  it.each(['color_atis.es', 'generic.es'])('%s is refused by name', async (name) => {
    const opening = openRecording({ blob: await openAsBlob(resolve(folder, name)), name }, {}, quietTask);
    await expect(opening).rejects.toMatchObject({ code: 'input/unsupported' });
  });

  it('is recognised by its content, whatever its name', async () => {
    for (const [name] of recordings.filter(([each]) => !each.endsWith('.bin'))) {
      const recording = await openRecording({ blob: await openAsBlob(resolve(folder, name)), name: 'renamed.data' }, {}, quietTask);
      expect(recording.format).not.toBe('');
      recording.close();
    }
  });

  // The HDF5 reader has its own test of this: a damaged file may cost it a fresh library.
  it.each(recordings.filter(([name]) => !name.endsWith('.h5')))('mutated copies of %s are read or refused, never worse', async (name) => {
    // A part is enough to damage: what lies behind it is more of the same.
    const bytes = new Uint8Array(readFileSync(resolve(folder, name))).slice(0, 60_000);
    const { read, refused } = await surviveMutations(bytes, name, 150);
    expect(read + refused).toBe(150);
    expect(read).toBeGreaterThan(0);
  });
});

describe('what is no recording', () => {
  it.each([
    ['a ROS bag', '#ROSBAG V2.0\n', 'x.bag'],
    ['an MCAP file', '\u0089MCAP0\r\n', 'x.mcap'],
    ['a ROS 2 bag', 'SQLite format 3\u0000', 'x.db3'],
  ])('%s is refused with the name of a converter', async (_label, head, name) => {
    const bytes = Uint8Array.from(head, (letter) => letter.charCodeAt(0));
    const error: unknown = await openRecording({ blob: new Blob([bytes]), name }, {}, quietTask).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'input/unsupported', remedy: expect.stringMatching(/Convert/) });
  });

  it.each([
    ['nothing', new Uint8Array()],
    ['noise', Uint8Array.from({ length: 500 }, (_, index) => (index * 7919) % 256)],
    ['prose', new TextEncoder().encode('These are words and none of them are events.\n'.repeat(20))],
  ])('%s gets one sentence', async (_label, bytes) => {
    await expect(openRecording({ blob: new Blob([new Uint8Array(bytes)]), name: 'file.xyz' }, {}, quietTask)).rejects.toMatchObject({ code: 'input/unsupported' });
  });
});

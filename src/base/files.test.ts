import { expect, it } from 'vitest';
import { csvFile } from './csv';
import { npyFile } from './npy';

it('a CSV cell is quoted where it must be, and only there', async () => {
  const text = await csvFile(['name', 'score'], [['RBC', 0.5], ['a "cell", odd\nname', undefined]]).text();
  expect(text).toBe('name,score\r\nRBC,0.5\r\n"a ""cell"", odd\nname",\r\n');
});

it('an array has the header that numpy.load reads: magic, version, length, dict, padded to 64 bytes', async () => {
  const bytes = new Uint8Array(await npyFile(Float32Array.of(1, -2, 0.5, 4, 5, 6), [1, 2, 3]).arrayBuffer());
  expect([...bytes.subarray(0, 8)]).toEqual([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  const length = new DataView(bytes.buffer).getUint16(8, true);
  expect((10 + length) % 64).toBe(0);
  expect(new TextDecoder().decode(bytes.subarray(10, 10 + length)).trimEnd()).toBe("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }");
  expect([...new Float32Array(bytes.buffer, 10 + length)]).toEqual([1, -2, 0.5, 4, 5, 6]);
  const flat = await npyFile(Uint8Array.of(7), [1]).text();
  expect(flat).toContain("'|u1', 'fortran_order': False, 'shape': (1,), }");
});

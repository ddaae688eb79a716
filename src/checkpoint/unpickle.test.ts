import { describe, expect, it } from 'vitest';
import { AppError } from '../base/errors';
import { emptyDict, emptyList, integer, list, mark, name, none, pickle, recall, reduce, remember, text, tuple } from './testing';
import { PersistentId, PickledName, PickledObject, unpickle, type PickledValue } from './unpickle';

const everything = (): boolean => true;
const nothing = (): boolean => false;

/** The value of these opcodes. */
function valueOf(code: readonly number[]): PickledValue {
  return unpickle(pickle(code), everything);
}

function refusal(bytes: Uint8Array, accepts = everything): AppError {
  try {
    unpickle(bytes, accepts);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('It should have been refused.');
}

describe('values', () => {
  it.each([
    ['None', none, null],
    ['True', [0x88], true],
    ['False', [0x89], false],
    ['BININT1', [0x4b, 200], 200],
    ['BININT2', [0x4d, 1, 2], 513],
    ['BININT', [0x4a, 0xfe, 0xff, 0xff, 0xff], -2],
    ['LONG1, empty', [0x8a, 0], 0],
    ['LONG1, negative', [0x8a, 1, 0x80], -128],
    ['LONG1, exact in a number', [0x8a, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f], Number.MAX_SAFE_INTEGER],
    ['LONG1, the magic number of torch', [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19], 0x1950a86a20f9469cfc6cn],
    ['LONG4', [0x8b, 2, 0, 0, 0, 0x00, 0x01], 256],
    ['BINFLOAT', [0x47, 0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18], Math.PI],
    ['BINUNICODE', text('Blutkörperchen'), 'Blutkörperchen'],
    ['SHORT_BINUNICODE', [0x8c, 2, 0x61, 0x62], 'ab'],
    ['BINUNICODE8', [0x8d, 1, 0, 0, 0, 0, 0, 0, 0, 0x61], 'a'],
    ['SHORT_BINSTRING', [0x55, 1, 0x61], 'a'],
    ['SHORT_BINBYTES', [0x43, 2, 1, 2], new Uint8Array([1, 2])],
    ['TUPLE1', [...none, 0x85], [null]],
    ['TUPLE2', [0x4b, 1, 0x4b, 2, 0x86], [1, 2]],
    ['TUPLE3', [0x4b, 1, 0x4b, 2, 0x4b, 3, 0x87], [1, 2, 3]],
    ['TUPLE', tuple(integer(1), text('a'), tuple()), [1, 'a', []]],
    ['APPEND', [...emptyList, 0x4b, 1, 0x61], [1]],
    ['APPENDS', list(integer(1), list(integer(2))), [1, [2]]],
    ['SETITEM', [...emptyDict, ...text('a'), 0x4b, 1, 0x73], new Map([['a', 1]])],
    ['DICT', [...mark, ...text('a'), 0x4b, 1, 0x64], new Map([['a', 1]])],
    ['FRAME', [0x95, 1, 0, 0, 0, 0, 0, 0, 0, 0x88], true],
    ['POP_MARK', [0x4b, 1, ...mark, 0x4b, 2, 0x31], 1],
    ['DUP', [0x4b, 1, 0x32, 0x86], [1, 1]],
  ] as const)('%s', (_label, code, expected) => {
    expect(valueOf(code)).toEqual(expected);
  });

  it('remembers by BINPUT, LONG_BINPUT and MEMOIZE', () => {
    expect(valueOf([...text('a'), 0x71, 0, 0x68, 0, 0x86])).toEqual(['a', 'a']);
    expect(valueOf([...text('a'), ...remember(300), ...recall(300), 0x86])).toEqual(['a', 'a']);
    expect(valueOf([...text('a'), 0x94, ...text('b'), 0x94, 0x68, 0, 0x68, 1, 0x87, 0x86])).toEqual(['a', ['b', 'a', 'b']]);
  });

  it('gives classes, calls and persistent ids as data', () => {
    expect(valueOf(name('torch', 'FloatStorage'))).toEqual(new PickledName('torch.FloatStorage'));
    expect(valueOf([...text('os'), ...text('system'), 0x93])).toEqual(new PickledName('os.system'));
    expect(valueOf(reduce(name('os', 'system'), text('ls')))).toEqual(new PickledObject('os.system', ['ls']));
    expect(valueOf([...text('key'), 0x51])).toEqual(new PersistentId('key'));
    const built = valueOf([...name('a', 'B'), 0x29, 0x81, ...text('state'), 0x62]);
    expect(built).toMatchObject({ name: 'a.B', args: [], state: 'state' });
  });

  it('keeps a list that holds itself', () => {
    const value = valueOf([...emptyList, ...remember(0), ...recall(0), 0x61]);
    expect(Array.isArray(value) && value[0]).toBe(value);
  });

  it('appends more items than a call takes arguments', () => {
    const bytes = new Uint8Array(400_006).fill(0x4e);
    bytes.set([0x80, 2, 0x5d, 0x28]);
    bytes.set([0x65, 0x2e], 400_004);
    expect(unpickle(bytes, everything)).toHaveLength(400_000);
  });
});

describe('refusals', () => {
  it('names the class, on one line of bounded length', () => {
    const error = refusal(pickle(name('os', 'system')), nothing);
    expect(error.code).toBe('checkpoint/unknown-class');
    expect(error.message).toContain('os.system');
    const long = refusal(pickle([...text('a\u202e\n'.repeat(1000)), ...text('b'), 0x93]), nothing);
    expect(long.message.length).toBeLessThan(300);
    expect(long.message).toMatch(/^[\x20-\x7e’]+$/);
  });

  it.each([
    ['no end', []],
    ['a call of a string', [...text('eval'), ...tuple(), 0x52]],
    ['a call of an object that a call made', reduce(reduce(name('a', 'B')), text('x'))],
    ['NEWOBJ of a list', [...emptyList, ...tuple(), 0x81]],
    ['INST', [...mark, 0x69]],
    ['OBJ', [...mark, ...name('a', 'B'), 0x6f]],
    ['EXT1', [0x82, 1]],
    ['BYTEARRAY8', [0x96]],
    ['a state for a dict', [...emptyDict, ...none, 0x62]],
    ['a state for nothing', [...none, 0x62]],
    ['items of a string', [...text('a'), ...mark, ...none, ...none, 0x75]],
    ['an odd number of items', [...emptyDict, ...mark, ...none, 0x75]],
    ['elements of a dict', [...emptyDict, ...none, 0x61]],
    ['a group without a beginning', [...none, 0x74]],
    ['a mark as a value', [...mark, 0x85]],
    ['an empty stack', [0x85]],
    ['something never remembered', recall(7)],
    ['a name that is a number', [0x4b, 1, 0x4b, 2, 0x93]],
    ['a name without an end', [0x63, 0x61]],
    ['protocol 6', [0x80, 6]],
    ['an integer of 255 bytes', [0x8a, 255, ...new Array<number>(255).fill(1)]],
    ['a text of 4 GB', [0x58, 0xff, 0xff, 0xff, 0xff, 0x61]],
    ['bytes of 2^63', [0x8e, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x61]],
    ['an integer of 4 GB', [0x8b, 0xff, 0xff, 0xff, 0xff, 0x61]],
  ])('%s', (_label, code) => {
    expect(refusal(Uint8Array.from([0x80, 2, ...code])).code).toBe('checkpoint/malformed');
  });

  it('stops a pickle of empty dicts before they fill the memory', () => {
    const bytes = new Uint8Array(5_000_000).fill(0x7d);
    expect(refusal(bytes).code).toBe('checkpoint/malformed');
  });
});

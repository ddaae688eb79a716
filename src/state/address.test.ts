import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { representations } from '../base/eventOptions';
import { resetModes } from '../base/neuron';
import { formatAddress, formatSettings, parseAddress, parseSettings, type SharedState } from './address';
import { hideablePanels, pageNames } from './names';

/** What a link keeps exactly: six digits of numbers, a tenth of a pixel of boxes. */
const shared: fc.Arbitrary<SharedState> = fc.record(
  {
    page: fc.constantFrom(...pageNames),
    model: fc.constantFrom('bccd', 'nmnist-scenes'),
    sample: fc.constantFrom('smear-3', 'drawn-123456', 'film-road-7'),
    steps: fc.integer({ min: 1, max: 16 }),
    decay: fc.integer({ min: 0, max: 1000 }).map((value) => value / 1000),
    threshold: fc.integer({ min: -1000, max: 1000 }).map((value) => value / 100),
    reset: fc.constantFrom(...resetModes),
    muted: fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('block' as const), row: fc.nat(40) }),
        fc.record({ kind: fc.constant('channel' as const), layer: fc.nat(99), channel: fc.nat(999) }),
        fc.record({ kind: fc.constant('neuron' as const), layer: fc.nat(99), x: fc.nat(600), y: fc.nat(600), channel: fc.nat(999) }),
      ),
      { maxLength: 5 },
    ),
    inputSize: fc.oneof(fc.constant('native' as const), fc.integer({ min: 1, max: 64 }).map((value) => value * 32)),
    confidence: fc.integer({ min: 0, max: 100 }).map((value) => value / 100),
    iou: fc.integer({ min: 0, max: 100 }).map((value) => value / 100),
    layer: fc.nat(200),
    neuron: fc.record({ x: fc.nat(640), y: fc.nat(640), channel: fc.nat(1023) }),
    step: fc.nat(15),
    box: fc.record({
      of: fc.constantFrom('snn' as const, 'ann' as const, 'converted' as const, 'truth' as const),
      class: fc.nat(90),
      box: fc.tuple(...[0, 0, 0, 0].map(() => fc.integer({ min: -100, max: 20_000 }).map((value) => value / 10))) as fc.Arbitrary<[number, number, number, number]>,
    }),
    fromUs: fc.maxSafeInteger(),
    windowUs: fc.integer({ min: 1, max: 1e9 }),
    representation: fc.constantFrom(...representations),
    fit: fc.constantFrom('stretch' as const, 'letterbox' as const),
    withoutHotPixels: fc.boolean(),
    carryMembranes: fc.boolean(),
    hidden: fc.subarray([...hideablePanels]),
  },
  { requiredKeys: [] },
);

describe('the address', () => {
  it('gives back what was written into it', () => {
    fc.assert(
      fc.property(shared, (state) => {
        expect(parseAddress(`#${formatAddress(state)}`)).toEqual({ shared: state, ignored: [] });
      }),
    );
  });

  it('reads as a person would write it', () => {
    expect(formatAddress({ model: 'bccd', steps: 8, step: 2, neuron: { x: 3, y: 4, channel: 17 } })).toBe('model=bccd&T=8&neuron=3,4,17&step=3');
    expect(formatAddress({ box: { of: 'snn', class: 1, box: [1, 2.25, 30, 40] }, hidden: ['raster', 'rates'] })).toBe(
      'box=snn,1,1.0,2.3,30.0,40.0&hide=raster,rates',
    );
  });

  it('leaves out what is not valid, names it, and keeps the rest', () => {
    const { shared: kept, ignored } = parseAddress('#T=99&layer=3&step=0&neuron=1,2&box=snn,0,1,2,3&decay=2&hide=raster,nothing&model=../x&page=detect&what=1&input=100&threshold=&mute=b1,x2&conf');
    expect(kept).toEqual({ layer: 3, page: 'detect' });
    expect(ignored).toEqual([
      'T=99', 'step=0', 'neuron=1,2', 'box=snn,0,1,2,3', 'decay=2', 'hide=raster,nothing', 'model=../x', 'what=1', 'input=100', 'threshold=', 'mute=b1,x2', 'conf=',
    ]);
  });

  it('is read without a failure whatever stands in it', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { shared: kept } = parseAddress(text);
        expect(parseAddress(formatAddress(kept)).ignored).toEqual([]);
      }),
    );
    fc.assert(
      fc.property(shared, fc.nat(), fc.string({ maxLength: 3 }), (state, at, noise) => {
        const text = formatAddress(state);
        const cut = at % (text.length + 1);
        const { shared: kept, ignored } = parseAddress(text.slice(0, cut) + noise + text.slice(cut));
        expect(ignored.every((part) => part.length <= 40)).toBe(true);
        expect(parseAddress(formatAddress(kept)).ignored).toEqual([]);
      }),
    );
  });
});

describe('a settings file', () => {
  it('gives back what was written into it', () => {
    fc.assert(
      fc.property(shared, (state) => {
        expect(parseSettings(formatSettings(state))).toEqual(state);
      }),
    );
  });

  it('is refused whole where any part of it is wrong', () => {
    const text = formatSettings({ steps: 4, layer: 2 });
    expect(parseSettings(text.replace('"steps": 4', '"steps": 40'))).toBeUndefined();
    expect(parseSettings(text.replace('settings",', 'other",'))).toBeUndefined();
    expect(parseSettings(text.slice(0, -5))).toBeUndefined();
    expect(parseSettings('[]')).toBeUndefined();
    expect(parseSettings('')).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import type { AppError } from '../base/errors';
import { parseTrainingConfig, stageOf, totalEpochs } from './config';

function complaint(value: unknown): AppError {
  try {
    parseTrainingConfig(value);
  } catch (thrown) {
    return thrown as AppError;
  }
  throw new Error('The configuration was accepted.');
}

describe('parseTrainingConfig', () => {
  it('needs nothing: everything has a default, and a whole configuration is its own', () => {
    const config = parseTrainingConfig({});
    expect(config.optimiser).toMatchObject({ kind: 'adamw', momentum: 0.9 });
    expect(config.augmentation).toMatchObject({ mosaic: 0.5 });
    expect(parseTrainingConfig(structuredClone(config))).toEqual(config);
  });

  it('keeps what is said and fills in the rest', () => {
    const config = parseTrainingConfig({ optimiser: { learningRate: 0.5 }, network: { widthMultiple: 0.25 } });
    expect(config.optimiser).toMatchObject({ learningRate: 0.5, kind: 'adamw' });
    expect(config.network).toEqual({ configuration: 'res10-ee', widthMultiple: 0.25 });
  });

  it.each([
    ['batch', { batch: 0 }],
    ['batch', { batch: 'many' }],
    ['optimiser.learningRate', { optimiser: { learningRate: -1 } }],
    ['optimiser.kind', { optimiser: { kind: 'lbfgs' } }],
    ['stages.0.size', { stages: [{ epochs: 1, size: 100, steps: 4 }] }],
    ['stages.1.steps', { stages: [{ epochs: 1, size: 96, steps: 4 }, { epochs: 1, size: 96, steps: 99 }] }],
    ['stages', { stages: [] }],
    ['network.configuration', { network: { configuration: 'resnet1000' } }],
    ['surrogate.shape', { surrogate: { shape: 'square', parameter: 1 } }],
    ['data.kind', { data: { kind: 'words' } }],
    ['anchors', { anchors: 'guess' }],
    ['augmentation.mosaic', { augmentation: { mosaic: 2 } }],
    ['name', { name: '../elsewhere' }],
    ['momentun', { optimiser: { momentun: 0.9 } }],
    ['learning_rate', { learning_rate: 1 }],
  ])('names %s where that is wrong', (setting, value) => {
    const error = complaint(value);
    expect(error.code).toBe('train/invalid-settings');
    expect(error.message).toContain(setting);
  });

  it.each([null, 7, 'text', []])('refuses %j, which is no configuration', (value) => {
    expect(complaint(value).code).toBe('train/invalid-settings');
  });
});

describe('stageOf', () => {
  const config = { stages: [{ epochs: 2, size: 64, steps: 1 }, { epochs: 3, size: 96, steps: 4 }] };

  it('follows the stages, and stays in the last', () => {
    expect(totalEpochs(config)).toBe(5);
    expect([0, 1, 2, 4, 5, 100].map((epoch) => stageOf(config, epoch).size)).toEqual([64, 64, 96, 96, 96, 96]);
  });
});

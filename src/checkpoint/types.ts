import type { Task } from '../base/progress';

/** What a network computes with at its neurons: spikes over T steps, or ReLU in a single pass (the ANN twin). */
export type NetworkMode = 'snn' | 'ann';

export type RowArgument = number | string | boolean | null | readonly RowArgument[];

/** One row of a network: `[from, repeats, block, args]`; `from` counts rows from 0, negative numbers count backwards. */
export interface NetworkRow {
  from: readonly number[];
  repeats: number;
  block: string;
  args: readonly RowArgument[];
}

/** What a checkpoint says about its own network (the pickled model's `yaml` and `names`, or our manifest). */
export interface NetworkDescription {
  /** Backbone and head in one list, as absolute row numbers count them. */
  rows: readonly NetworkRow[];
  depthMultiple: number;
  widthMultiple: number;
  inputChannels: number;
  classNames: readonly string[];
  /** Pixels, `[w, h, w, h, ...]` for each scale in the order of the Detect row's inputs. */
  anchors: readonly (readonly number[])[];
}

export type StoredType = 'float64' | 'float32' | 'float16' | 'bfloat16' | 'int64' | 'int32' | 'int16' | 'int8' | 'uint8' | 'bool';

export interface TensorEntry {
  name: string;
  shape: readonly number[];
  storedAs: StoredType;
}

/**
 * An opened checkpoint: the directory is parsed, the weights still lie in the file. `read` fetches one tensor at a
 * time, so that a 200 MB file never stands twice in memory.
 */
export interface Checkpoint {
  format: 'pytorch' | 'safetensors';
  /** Undefined for a bare state_dict, which does not say which network it belongs to. */
  description: NetworkDescription | undefined;
  /** Undefined where the file does not say (every official `.pt`). */
  mode: NetworkMode | undefined;
  tensors: ReadonlyMap<string, TensorEntry>;
  /**
   * The tensor's values in row-major order of its shape.
   * @throws AppError `checkpoint/missing-tensor`, `checkpoint/truncated`, `cancelled`
   */
  read(name: string, task: Task): Promise<Float32Array>;
}

import type { InferenceSession } from 'onnxruntime-web';
import { AppError, asAppError } from '../base/errors';
import type { Size } from '../base/geometry';
import type { Task } from '../base/progress';
import { throwIfCancelled } from '../base/progress';
import { classNamesOf, imageSizeOf, ownDescriptionOf, readOnnxMetadata } from '../checkpoint/onnxMetadata';
import { sideMultiple } from '../detect/letterbox';
import { decodeHead, recogniseHead, type HeadOutput, type YoloHead } from '../detect/yoloHeads';
import type { Backend } from '../tensor/backend';
import type { OnnxRuntime } from './bench/contestants';
import { detectionsOf } from './describe';
import type { PreparedInput } from './frames';
import type { DetectionResult, ModelDescription, RequestPayload } from './protocol';

/** Larger files are refused: the runtime holds them twice. */
const maximumBytes = 1_000_000_000;
/** Of networks that take any size and do not say which. */
const defaultSide = 640;
const largestSide = 4096;

/** A YOLO detector that somebody exported to ONNX, in the ANN's place. */
export class OnnxDetector {
  private constructor(
    private readonly session: InferenceSession,
    private readonly runtime: OnnxRuntime,
    private readonly head: YoloHead,
    readonly description: ModelDescription,
    /** Sides of the network's input. */
    readonly input: Size,
    private readonly backend: Backend,
  ) {}

  /** @throws AppError `checkpoint/malformed`, `checkpoint/too-large`, `checkpoint/unsupported-head`, `cancelled` */
  static async load(file: Blob, name: string, runtime: () => Promise<OnnxRuntime>, backend: Backend, task: Task): Promise<OnnxDetector> {
    if (file.size > maximumBytes) {
      throw new AppError('checkpoint/too-large', `The ONNX file has ${Math.round(file.size / 1e6)} MB, and at most ${maximumBytes / 1e6} fit.`, 'Export a smaller network.');
    }
    const metadata = await readOnnxMetadata(file);
    task.report({ label: 'Starting the ONNX runtime', done: 0, total: 3, unit: 'items' });
    const loaded = await runtime();
    throwIfCancelled(task.signal);
    const session = await loaded.InferenceSession.create(await file.arrayBuffer(), { executionProviders: ['wasm'] }).catch((cause: unknown) => {
      throw new AppError('checkpoint/malformed', `The ONNX runtime cannot load the network: ${firstLine(cause)}.`, 'Export it again, with operators of version 17 or below.', cause);
    });
    try {
      throwIfCancelled(task.signal);
      task.report({ label: 'Trying the network', done: 1, total: 3, unit: 'items' });
      const input = inputSize(session, imageSizeOf(metadata.get('imgsz')));
      const own = ownDescriptionOf(metadata.get('ems-yolo'));
      const classNames = own?.classNames ?? classNamesOf(metadata.get('names'));
      // Shapes may depend on the input: what comes out of a grey picture tells them.
      const grey = new Float32Array(3 * input.width * input.height).fill(114 / 255);
      const outputs = await runSession(session, loaded, grey, input);
      const head = recogniseHead(outputs, input, classNames?.length, own?.anchors);
      if (!head) throw unsupportedHead(outputs, classNames?.length, metadata.get('task'));
      const description: ModelDescription = {
        name,
        mode: 'ann',
        convertedFrom: undefined,
        head: `${head.family} head, ONNX`,
        classNames: classNames ?? Array.from({ length: head.classCount }, (_, label) => `class ${label}`),
        parameters: undefined,
        neuronLayers: 0,
        inputSize: input.width === input.height ? input.width : undefined,
        steps: undefined,
        reads: undefined,
        source: undefined,
      };
      return new OnnxDetector(session, loaded, head, description, input, backend);
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  async detect(request: RequestPayload<'detect'>, { values, placement }: PreparedInput, preprocessMs: number): Promise<DetectionResult> {
    const started = performance.now();
    const outputs = await runSession(this.session, this.runtime, planes(values), this.input);
    const ran = performance.now();
    const detections = detectionsOf(decodeHead(this.head, outputs), undefined, placement, request, this.description);
    return {
      model: this.description.name,
      backend: { ...this.backend.choice, label: 'onnxruntime-web (WASM)' },
      mode: 'ann',
      steps: 1,
      picture: placement.original,
      input: placement.input,
      detectionsPerStep: [detections],
      layers: [],
      blocks: [],
      firingRates: [],
      spikesPerStep: [],
      operations: { steps: 1, layers: [], neurons: 0, neuronKind: 'leaky' },
      energy: { convention: 'operations of an ONNX network are not counted', acOpsPerStep: 0, macOpsPerStep: 0, snnPj: null, annPj: 0 },
      timing: { preprocessMs, inferenceMs: ran - started, postprocessMs: performance.now() - ran },
    };
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

/** Fixed by the file, else what its exporter says, else a usual side. */
function inputSize(session: InferenceSession, exported: Size | undefined): Size {
  const [images, ...others] = session.inputMetadata;
  if (!images?.isTensor || others.length > 0 || images.shape.length !== 4) {
    throw unsupportedInput(`it has ${session.inputNames.length} inputs (${session.inputNames.join(', ')}) in place of one picture`);
  }
  if (images.type !== 'float32') throw unsupportedInput(`its input is of type ${images.type}`);
  const [count, channels, height, width] = images.shape;
  if (typeof count === 'number' && count > 1) throw unsupportedInput(`it reads ${count} pictures at once`);
  if (channels !== 3 && typeof channels === 'number') throw unsupportedInput(`its pictures have ${channels} channels`);
  const side = (fixed: number | string | undefined, otherwise: number | undefined): number => (typeof fixed === 'number' && fixed > 0 ? fixed : (otherwise ?? defaultSide));
  const size = { height: side(height, exported?.height), width: side(width, exported?.width) };
  if (size.width > largestSide || size.height > largestSide || size.width % sideMultiple !== 0 || size.height % sideMultiple !== 0) {
    throw unsupportedInput(`its pictures have ${size.width} x ${size.height} pixels`);
  }
  return size;
}

async function runSession(session: InferenceSession, runtime: OnnxRuntime, data: Float32Array, { width, height }: Size): Promise<HeadOutput[]> {
  const [name = ''] = session.inputNames;
  try {
    const outputs = await session.run({ [name]: new runtime.Tensor('float32', data, [1, 3, height, width]) });
    return session.outputNames.flatMap((output) => {
      const tensor = outputs[output];
      if (tensor?.type !== 'float32') return [];
      // A copy: the runtime may use its memory again.
      return [{ name: output, shape: [...tensor.dims], data: (tensor.data as Float32Array).slice() }];
    });
  } catch (cause) {
    const error = asAppError(cause);
    if (error.code !== 'internal') throw error;
    throw new AppError('checkpoint/malformed', `The ONNX network cannot run on a picture of ${width} x ${height} pixels: ${firstLine(cause)}.`, 'Export it again for a fixed size.', cause);
  }
}

/** `[height, width, 3]` to `[3, height, width]`. */
function planes(values: Float32Array): Float32Array {
  const area = values.length / 3;
  const result = new Float32Array(values.length);
  for (let place = 0; place < area; place++) {
    for (let channel = 0; channel < 3; channel++) result[channel * area + place] = values[place * 3 + channel] ?? NaN;
  }
  return result;
}

function unsupportedInput(what: string): AppError {
  return new AppError(
    'checkpoint/unsupported-head',
    `The ONNX network cannot stand in the ANN’s place: ${what}.`,
    'Export a detector that reads one float32 picture [1, 3, height, width], its sides multiples of 32.',
  );
}

function unsupportedHead(outputs: readonly HeadOutput[], classes: number | undefined, taskName: string | undefined): AppError {
  const shapes = outputs.map(({ name, shape }) => `${name} [${shape.join(', ')}]`).join(', ') || 'no float32 output';
  const facts = [...(taskName === undefined ? [] : [`made for the task ${taskName}`]), ...(classes === undefined ? [] : [`with ${classes} ${classes === 1 ? 'class' : 'classes'}`])].join(', ');
  return new AppError(
    'checkpoint/unsupported-head',
    `The ONNX network has no head that is known here. Found: ${shapes}${facts ? ` (${facts})` : ''}.`,
    'Export a detector with a YOLOv3, v5 or v8 head and without NMS: [1, 4 + classes, boxes], [1, boxes, 5 + classes], or logits of two or three scales.',
  );
}

function firstLine(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return (text.split('\n')[0] ?? '').replace(/[.\s]+$/, '').slice(0, 300);
}

import { AppError } from '../base/errors';

/**
 * Reads a pickle as data. Nothing in it is ever called: a global becomes a name, an object becomes its class's name with
 * arguments and state, and only names on a list are accepted (src/decisions/0002-unpickler.md).
 */

/** What a GLOBAL opcode names. */
export class PickledName {
  constructor(readonly name: string) {}
}

/** An object as it was pickled: what it was made from, and what was then set on it. */
export class PickledObject {
  state: PickledValue = null;
  /** Items of a dict subclass (OrderedDict). */
  readonly items = new Map<PickledValue, PickledValue>();
  /** Elements of a list or set subclass. */
  readonly elements: PickledValue[] = [];
  constructor(
    readonly name: string,
    readonly args: PickledValue,
  ) {}
}

/** What a BINPERSID opcode refers to: a storage outside of the pickle. */
export class PersistentId {
  constructor(readonly id: PickledValue) {}
}

export type PickledValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickledValue[]
  | Map<PickledValue, PickledValue>
  | PickledName
  | PickledObject
  | PersistentId;

/** Marks the start of a group on the stack; never a value. */
const mark = Symbol('mark');

/**
 * Instructions in one pickle. A released checkpoint has 50 000; each may cost an empty dict of 200 bytes, so this bounds
 * the memory that a small but hostile file can ask for.
 */
const maximumInstructions = 1_000_000;
const decoder = new TextDecoder();

/**
 * @param accepts whether an object of this class (`torch.FloatStorage`) may appear
 * @throws AppError `checkpoint/malformed`, `checkpoint/unknown-class`
 */
export function unpickle(bytes: Uint8Array, accepts: (name: string) => boolean): PickledValue {
  return new Unpickler(bytes, accepts).run();
}

function malformed(what: string): AppError {
  return new AppError(
    'checkpoint/malformed',
    `The checkpoint’s description of its weights is damaged: ${what}.`,
    'Download or save the file again.',
  );
}

class Unpickler {
  private position = 0;
  private readonly view: DataView;
  private readonly stack: (PickledValue | typeof mark)[] = [];
  private readonly memo = new Map<number, PickledValue>();

  constructor(
    private readonly bytes: Uint8Array,
    private readonly accepts: (name: string) => boolean,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): PickledValue {
    for (let count = 0; count < maximumInstructions; count++) {
      const opcode = this.byte();
      if (opcode === 0x2e) return this.pop(); // STOP
      this.execute(opcode);
    }
    throw malformed('it holds too many values');
  }

  private execute(opcode: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        if (this.byte() > 5) throw malformed('its pickle protocol is newer than 5');
        return;
      case 0x95: // FRAME
        this.skip(8);
        return;
      case 0x28: // MARK
        this.stack.push(mark);
        return;
      case 0x30: // POP
        if (this.stack.pop() === undefined) throw malformed('its stack is empty');
        return;
      case 0x31: // POP_MARK
        this.popToMark();
        return;
      case 0x32: // DUP
        this.push(this.top());
        return;

      case 0x71: // BINPUT
        this.memo.set(this.byte(), this.top());
        return;
      case 0x72: // LONG_BINPUT
        this.memo.set(this.uint32(), this.top());
        return;
      case 0x94: // MEMOIZE
        this.memo.set(this.memo.size, this.top());
        return;
      case 0x68: // BINGET
        this.push(this.remembered(this.byte()));
        return;
      case 0x6a: // LONG_BINGET
        this.push(this.remembered(this.uint32()));
        return;

      case 0x4e: // NONE
        this.push(null);
        return;
      case 0x88: // NEWTRUE
        this.push(true);
        return;
      case 0x89: // NEWFALSE
        this.push(false);
        return;
      case 0x4a: // BININT
        this.push(this.view.getInt32(this.advance(4), true));
        return;
      case 0x4b: // BININT1
        this.push(this.byte());
        return;
      case 0x4d: // BININT2
        this.push(this.view.getUint16(this.advance(2), true));
        return;
      case 0x8a: // LONG1
        this.push(integerOf(this.take(this.byte())));
        return;
      case 0x8b: // LONG4
        this.push(integerOf(this.take(this.uint32())));
        return;
      case 0x47: // BINFLOAT
        this.push(this.view.getFloat64(this.advance(8), false));
        return;

      case 0x58: // BINUNICODE
        this.push(this.text(this.uint32()));
        return;
      case 0x8c: // SHORT_BINUNICODE
        this.push(this.text(this.byte()));
        return;
      case 0x8d: // BINUNICODE8
        this.push(this.text(this.length64()));
        return;
      case 0x55: // SHORT_BINSTRING
        this.push(this.text(this.byte()));
        return;
      case 0x54: // BINSTRING
        this.push(this.text(this.uint32()));
        return;
      case 0x43: // SHORT_BINBYTES
        this.push(this.take(this.byte()));
        return;
      case 0x42: // BINBYTES
        this.push(this.take(this.uint32()));
        return;
      case 0x8e: // BINBYTES8
        this.push(this.take(this.length64()));
        return;

      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
        this.push([]);
        return;
      case 0x85: // TUPLE1
        this.push([this.pop()]);
        return;
      case 0x86: {
        // TUPLE2
        const [b, a] = [this.pop(), this.pop()];
        this.push([a, b]);
        return;
      }
      case 0x87: {
        // TUPLE3
        const [c, b, a] = [this.pop(), this.pop(), this.pop()];
        this.push([a, b, c]);
        return;
      }
      case 0x74: // TUPLE
      case 0x6c: // LIST
        this.push(this.popToMark());
        return;
      case 0x61: // APPEND
        this.append([this.pop()]);
        return;
      case 0x65: // APPENDS
      case 0x90: // ADDITEMS
        this.append(this.popToMark());
        return;
      case 0x8f: // EMPTY_SET
        this.push([]);
        return;
      case 0x91: // FROZENSET
        this.push(this.popToMark());
        return;

      case 0x7d: // EMPTY_DICT
        this.push(new Map());
        return;
      case 0x64: {
        // DICT
        const items = this.popToMark();
        this.push(new Map());
        this.setItems(items);
        return;
      }
      case 0x73: {
        // SETITEM
        const [value, key] = [this.pop(), this.pop()];
        this.setItems([key, value]);
        return;
      }
      case 0x75: // SETITEMS
        this.setItems(this.popToMark());
        return;

      case 0x63: // GLOBAL
        this.global(this.line(), this.line());
        return;
      case 0x93: {
        // STACK_GLOBAL
        const [name, module] = [this.pop(), this.pop()];
        if (typeof name !== 'string' || typeof module !== 'string') throw malformed('a class has no name');
        this.global(module, name);
        return;
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const [args, callee] = [this.pop(), this.pop()];
        if (!(callee instanceof PickledName)) throw malformed('it calls something that is not a class');
        this.push(new PickledObject(callee.name, args));
        return;
      }
      case 0x92: {
        // NEWOBJ_EX
        const [, args, callee] = [this.pop(), this.pop(), this.pop()];
        if (!(callee instanceof PickledName)) throw malformed('it calls something that is not a class');
        this.push(new PickledObject(callee.name, args));
        return;
      }
      case 0x62: {
        // BUILD
        const state = this.pop();
        const target = this.top();
        if (!(target instanceof PickledObject)) throw malformed('it sets the state of something that is not an object');
        target.state = state;
        return;
      }
      case 0x51: // BINPERSID
        this.push(new PersistentId(this.pop()));
        return;
      default:
        throw malformed(`it uses the instruction 0x${opcode.toString(16)}, which no checkpoint needs`);
    }
  }

  private global(module: string, name: string): void {
    const full = `${module}.${name}`;
    if (!this.accepts(full)) {
      throw new AppError(
        'checkpoint/unknown-class',
        `The checkpoint contains an object of ${printable(full)}, which no EMS-YOLO checkpoint has; nothing of it was run.`,
        'Load a checkpoint that EMS-YOLO saved; if this is one, save its state_dict and load that.',
      );
    }
    this.push(new PickledName(full));
  }

  private append(values: PickledValue[]): void {
    const target = this.top();
    const list = target instanceof PickledObject ? target.elements : target;
    if (!Array.isArray(list)) throw malformed('it appends to something that is not a list');
    for (const value of values) list.push(value);
  }

  private setItems(items: PickledValue[]): void {
    const target = this.top();
    const map = target instanceof PickledObject ? target.items : target;
    if (!(map instanceof Map) || items.length % 2 !== 0) throw malformed('it sets items of something that is not a dict');
    for (let index = 0; index < items.length; index += 2) map.set(items[index] ?? null, items[index + 1] ?? null);
  }

  private remembered(index: number): PickledValue {
    const value = this.memo.get(index);
    if (value === undefined) throw malformed('it refers to a value that it does not have');
    return value;
  }

  private push(value: PickledValue): void {
    this.stack.push(value);
  }

  private pop(): PickledValue {
    const value = this.stack.pop();
    if (value === undefined || value === mark) throw malformed('its stack is empty');
    return value;
  }

  private top(): PickledValue {
    const value = this.stack.at(-1);
    if (value === undefined || value === mark) throw malformed('its stack is empty');
    return value;
  }

  private popToMark(): PickledValue[] {
    const at = this.stack.lastIndexOf(mark);
    if (at < 0) throw malformed('a group has no beginning');
    const group = this.stack.splice(at);
    group.shift();
    // Marks nest like brackets, so there is none behind the last one.
    return group as PickledValue[];
  }

  /** Moves on by `count` bytes and returns where they begin. */
  private advance(count: number): number {
    const at = this.position;
    if (count > this.bytes.length - at) throw malformed('it ends too early');
    this.position += count;
    return at;
  }

  private skip(count: number): void {
    this.advance(count);
  }

  private byte(): number {
    return this.view.getUint8(this.advance(1));
  }

  private uint32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  private length64(): number {
    return Number(this.view.getBigUint64(this.advance(8), true));
  }

  private take(count: number): Uint8Array {
    const at = this.advance(count);
    return this.bytes.subarray(at, at + count);
  }

  private text(count: number): string {
    return decoder.decode(this.take(count));
  }

  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw malformed('it ends too early');
    const text = this.text(end - this.position);
    this.skip(1);
    return text;
  }
}

/** Little-endian two's complement; a number where that is exact. */
function integerOf(bytes: Uint8Array): number | bigint {
  if (bytes.length > 64) throw malformed('it holds an integer of more than 512 bits');
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index] ?? 0);
  value = BigInt.asIntN(bytes.length * 8, value);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** A name from a file, safe to show: one line of bounded length. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 120);
}

import type { CostTableId } from '../base/energyConvention';

/** Cost of one operation in picojoules. */
export interface CostTable {
  name: string;
  /** Multiply and add. */
  macPj: number;
  /** Add only, which is all that a spike asks for. */
  acPj: number;
  /** One value read from or written to a 32 kB SRAM, whose access of 64 bits takes 20 pJ. */
  accessPj: number;
  source: string;
}

const horowitz = 'Horowitz, Computing’s energy problem (and what we can do about it), ISSCC 2014: 45 nm, 0.9 V';

/** Additions and multiplications of Horowitz's table; a MAC is the sum of both. */
export const costTables: Readonly<Record<CostTableId, CostTable>> = {
  fp32: { name: '45 nm FP32', macPj: 4.6, acPj: 0.9, accessPj: 10, source: horowitz },
  fp16: { name: '45 nm FP16', macPj: 1.5, acPj: 0.4, accessPj: 5, source: horowitz },
  int8: { name: '45 nm INT8', macPj: 0.23, acPj: 0.03, accessPj: 2.5, source: horowitz },
};

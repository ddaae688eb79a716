import { expect, it } from 'vitest';
import { normal, seededRandom } from '../../base/random';
import { singularValues } from './singularValues';

const random = seededRandom(4);
const drawn = (rows: number, columns: number): Float64Array => Float64Array.from({ length: rows * columns }, () => normal(random));

function multiply(a: Float64Array, b: Float64Array, rows: number, inner: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let index = 0; index < inner; index++) sum += (a[row * inner + index] ?? 0) * (b[index * columns + column] ?? 0);
    return sum;
  });
}

it('gives those of matrices that can be worked by hand', () => {
  const close = (values: number[], expected: number[]): void => {
    expect(values).toHaveLength(expected.length);
    values.forEach((value, index) => expect(value).toBeCloseTo(expected[index] ?? NaN, 9));
  };
  close(singularValues(Float64Array.of(3, 0, 0, -4), 2, 2), [4, 3]);
  // AᵀA = [[25, 20], [20, 25]]: 45 and 5
  close(singularValues(Float64Array.of(3, 0, 4, 5), 2, 2), [Math.sqrt(45), Math.sqrt(5)]);
  close(singularValues(Float64Array.of(1, 1, 1, 1, 1, 1), 3, 2), [Math.sqrt(6), 0]);
  close(singularValues(new Float64Array(9), 3, 3), [0, 0, 0]);
});

it('finds the values that a matrix was made with', () => {
  const side = 24;
  const values = Array.from({ length: side }, (_, index) => 3 ** (4 - index / 2));
  // Random right angles: reflections of the unit matrix.
  const turned = (matrix: Float64Array): Float64Array => {
    let result = matrix;
    for (let count = 0; count < 6; count++) {
      const mirror = drawn(side, 1);
      const square = mirror.reduce((sum, value) => sum + value * value, 0);
      const reflection = Float64Array.from({ length: side * side }, (_, at) => {
        const [row, column] = [Math.floor(at / side), at % side];
        return (row === column ? 1 : 0) - (2 * (mirror[row] ?? 0) * (mirror[column] ?? 0)) / square;
      });
      result = multiply(reflection, result, side, side, side);
    }
    return result;
  };
  const diagonal = Float64Array.from({ length: side * side }, (_, at) => (at % (side + 1) === 0 ? (values[at % side] ?? 0) : 0));
  const transposed = (matrix: Float64Array): Float64Array => matrix.map((_, at) => matrix[(at % side) * side + Math.floor(at / side)] ?? 0);
  const found = singularValues(turned(transposed(turned(diagonal))), side, side);
  found.forEach((value, index) => expect(Math.abs(value - (values[index] ?? NaN))).toBeLessThan(1e-9 * (values[0] ?? 0)));
});

it('keeps the sum of squares, and stops where columns depend on each other', () => {
  const matrix = multiply(drawn(20, 3), drawn(3, 12), 20, 3, 12);
  const found = singularValues(matrix, 20, 12);
  const sum = (values: Iterable<number>): number => Array.from(values).reduce((total, value) => total + value * value, 0);
  expect(sum(found) / sum(matrix)).toBeCloseTo(1, 10);
  expect(found.slice(3).every((value) => value < 1e-9 * (found[0] ?? 0))).toBe(true);
});

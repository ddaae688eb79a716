import { timeUnits, type TimeUnit } from '../../base/eventOptions';
import { reinterpret } from '../../commands/recordings';
import type { RecordingState } from '../../state/store';
import { SelectField } from '../../ui/controls';

const orders = ['t x y p', 'x y t p', 'x y p t', 't y x p'].map((id) => ({ id, label: id.split(' ').join(', ') }));
const units = timeUnits.map((id) => ({ id, label: id === 'us' ? 'µs' : id }));

/** For tables that do not describe themselves: what was detected, to be changed where that is wrong. */
export function TableFields({ recording: { scanned, ref } }: { recording: RecordingState }) {
  const { table } = scanned;
  if (!table || ref.kind !== 'file') return null;
  const order = table.columns.join(' ');
  return (
    <div className="recording-table">
      <SelectField
        label="Columns (detected)"
        choices={orders.some(({ id }) => id === order) ? orders : [{ id: order, label: table.columns.join(', ') }, ...orders]}
        value={order}
        onChange={(id) => void reinterpret({ columns: id.split(' ') as typeof table.columns[number][], timeUnit: table.timeUnit })}
      />
      <SelectField<TimeUnit>
        label="Unit of time (detected)"
        choices={units}
        value={table.timeUnit}
        onChange={(timeUnit) => void reinterpret({ columns: [...table.columns], timeUnit })}
      />
    </div>
  );
}

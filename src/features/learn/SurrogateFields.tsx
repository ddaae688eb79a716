import { surrogateDefinitions, surrogateOf, surrogateShapes, type Surrogate } from '../../base/surrogate';
import { SelectField, SliderField } from '../../ui/controls';
import { surrogateNames } from './words';

/** The surrogate's shape and its one parameter. */
export function SurrogateFields({ surrogate, onChange }: { surrogate: Surrogate; onChange: (surrogate: Surrogate) => void }) {
  const { symbol, meaning, smallest, largest } = surrogateDefinitions[surrogate.shape].parameter;
  return (
    <>
      <SelectField
        label="Surrogate"
        choices={surrogateShapes.map((id) => ({ id, label: surrogateNames[id], description: surrogateDefinitions[id].formula }))}
        value={surrogate.shape}
        onChange={(shape) => onChange(surrogateOf(shape))}
      />
      <SliderField
        label={`Surrogate’s ${meaning} ${symbol}`}
        value={surrogate.parameter}
        minimum={smallest}
        maximum={largest}
        step={0.05}
        format={{ minimumFractionDigits: 2 }}
        onChange={(parameter) => onChange({ ...surrogate, parameter })}
      />
    </>
  );
}

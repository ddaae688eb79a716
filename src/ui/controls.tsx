import { useId, type ReactNode } from 'react';
import {
  Button as AriaButton,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Select,
  SelectValue,
  Slider,
  SliderOutput,
  SliderThumb,
  SliderTrack,
  Switch,
  ToggleButton,
  ToggleButtonGroup,
  type ButtonProps as AriaButtonProps,
} from 'react-aria-components';

/** Accessible controls in the page's look; behaviour comes from react-aria. */

export interface ButtonProps extends Omit<AriaButtonProps, 'className' | 'style'> {
  /** `primary` for the one action that a panel is about. */
  look?: 'plain' | 'primary' | 'quiet';
}

export function Button({ look = 'plain', ...props }: ButtonProps) {
  return <AriaButton {...props} className={`button button-${look}`} />;
}

export interface Choice<T extends string> {
  id: T;
  label: string;
  description?: string;
}

export interface SelectFieldProps<T extends string> {
  label: string;
  /** The label is read out but not shown. */
  hideLabel?: boolean;
  choices: readonly Choice<T>[];
  value: T | undefined;
  placeholder?: string;
  onChange: (value: T) => void;
}

export function SelectField<T extends string>({ label, hideLabel, choices, value, placeholder, onChange }: SelectFieldProps<T>) {
  return (
    <Select
      className="select"
      aria-label={hideLabel ? label : undefined}
      value={value ?? null}
      placeholder={placeholder}
      onChange={(key) => {
        const chosen = choices.find((choice) => choice.id === key);
        if (chosen) onChange(chosen.id);
      }}
    >
      {!hideLabel && <Label className="field-label">{label}</Label>}
      <AriaButton className="button button-plain select-button">
        <SelectValue>{({ defaultChildren, isPlaceholder }) => (isPlaceholder ? defaultChildren : choices.find(({ id }) => id === value)?.label)}</SelectValue>
        <span aria-hidden="true" className="select-arrow" />
      </AriaButton>
      <Popover className="popover" placement="bottom start">
        <ListBox className="list-box">
          {choices.map((choice) => (
            <ListBoxItem key={choice.id} id={choice.id} textValue={choice.label} className="list-box-item">
              <span>{choice.label}</span>
              {choice.description !== undefined && <span className="list-box-description">{choice.description}</span>}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </Select>
  );
}

export interface SliderFieldProps {
  label: string;
  value: number;
  minimum: number;
  maximum: number;
  step: number;
  format?: Intl.NumberFormatOptions;
  /** What the value means, where the number alone does not say it. */
  text?: string;
  /** Called while dragging. */
  onChange: (value: number) => void;
}

export function SliderField({ label, value, minimum, maximum, step, format, text, onChange }: SliderFieldProps) {
  return (
    <Slider
      className="slider"
      value={value}
      minValue={minimum}
      maxValue={maximum}
      step={step}
      formatOptions={format}
      onChange={onChange}
    >
      <Label className="field-label">{label}</Label>
      <SliderOutput className="slider-output">{({ defaultChildren }) => text ?? defaultChildren}</SliderOutput>
      <SliderTrack className="slider-track">
        {/* Its value, which is read out, is only a position where a text says what it means. */}
        <SliderThumb className="slider-thumb" aria-label={text} />
      </SliderTrack>
    </Slider>
  );
}

export interface SwitchFieldProps {
  label: string;
  /** What it means, shown when the pointer rests on it. */
  description?: string;
  isOn: boolean;
  onChange: (isOn: boolean) => void;
}

export function SwitchField({ label, description, isOn, onChange }: SwitchFieldProps) {
  return (
    <span title={description}>
      <Switch className="switch" isSelected={isOn} onChange={onChange}>
        <span className="switch-track" aria-hidden="true" />
        {label}
      </Switch>
    </span>
  );
}

export interface ToggleGroupFieldProps<T extends string> {
  label: string;
  choices: readonly Choice<T>[];
  /** Several can be on, or none. */
  chosen: ReadonlySet<T>;
  onChange: (chosen: ReadonlySet<T>) => void;
}

export function ToggleGroupField<T extends string>({ label, choices, chosen, onChange }: ToggleGroupFieldProps<T>) {
  const id = useId();
  return (
    <div className="toggle-field">
      <span id={id} className="field-label">
        {label}
      </span>
      <ToggleButtonGroup
        className="toggle-group"
        aria-labelledby={id}
        selectionMode="multiple"
        selectedKeys={chosen}
        onSelectionChange={(keys) => onChange(new Set(choices.filter((choice) => keys.has(choice.id)).map((choice) => choice.id)))}
      >
        {choices.map((choice) => (
          <ToggleButton key={choice.id} id={choice.id} className="button button-plain toggle">
            {choice.label}
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
    </div>
  );
}

export interface PanelProps {
  title: string;
  /** Beside the title: what the numbers below mean, or controls. */
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
}

export function Panel({ title, aside, children, className = '' }: PanelProps) {
  return (
    <section className={`panel ${className}`} aria-label={title}>
      <header className="panel-header">
        <h2>{title}</h2>
        {aside !== undefined && <div className="panel-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

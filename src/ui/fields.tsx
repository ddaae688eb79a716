import { useRef } from 'react';
import { FieldError, Input, Label, NumberField, Radio, RadioGroup, TextArea, TextField } from 'react-aria-components';
import { Button, type ButtonProps, type Choice } from './controls';

/** Fields that are typed into, and files that are chosen. */

export interface NumberInputProps {
  label: string;
  /** The label is read out but not shown. */
  hideLabel?: boolean;
  value: number;
  minimum?: number;
  maximum?: number;
  /** Values are rounded to multiples of it. */
  step?: number;
  format?: Intl.NumberFormatOptions;
  isDisabled?: boolean;
  /** Called when the field is left, or Enter is pressed. */
  onChange: (value: number) => void;
}

export function NumberInput({ label, hideLabel, value, minimum, maximum, step, format, isDisabled = false, onChange }: NumberInputProps) {
  return (
    <NumberField
      className="field"
      value={value}
      isDisabled={isDisabled}
      onChange={(next) => {
        if (Number.isFinite(next) && next !== value) onChange(next);
      }}
      {...(minimum !== undefined && { minValue: minimum })}
      {...(maximum !== undefined && { maxValue: maximum })}
      {...(step !== undefined && { step })}
      {...(hideLabel && { 'aria-label': label })}
      formatOptions={{ useGrouping: false, ...format }}
    >
      {!hideLabel && <Label className="field-label">{label}</Label>}
      <Input className="text-input" />
    </NumberField>
  );
}

export interface TextInputProps {
  label: string;
  hideLabel?: boolean;
  value: string;
  onChange: (value: string) => void;
  /** Called on Enter. */
  onSubmit?: () => void;
}

export function TextInput({ label, hideLabel, value, onChange, onSubmit }: TextInputProps) {
  return (
    <TextField className="field" value={value} onChange={onChange} {...(hideLabel && { 'aria-label': label })}>
      {!hideLabel && <Label className="field-label">{label}</Label>}
      <Input
        className="text-input"
        onKeyDown={(event) => {
          if (event.key === 'Enter') onSubmit?.();
        }}
      />
    </TextField>
  );
}

export interface TextBoxProps {
  label: string;
  value: string;
  rows: number;
  /** What is wrong with it. */
  problem?: string | undefined;
  onChange: (value: string) => void;
}

/** Text of several lines, as a program reads it. */
export function TextBox({ label, value, rows, problem, onChange }: TextBoxProps) {
  return (
    <TextField className="field" value={value} onChange={onChange} isInvalid={problem !== undefined}>
      <Label className="field-label">{label}</Label>
      <TextArea className="text-input text-box" rows={rows} spellCheck={false} />
      <FieldError className="field-problem">{problem}</FieldError>
    </TextField>
  );
}

export interface RadioChoiceProps<T extends string> {
  label: string;
  choices: readonly Choice<T>[];
  value: T;
  onChange: (value: T) => void;
}

/** One of a few, all of them in view. */
export function RadioChoice<T extends string>({ label, choices, value, onChange }: RadioChoiceProps<T>) {
  return (
    <RadioGroup
      className="radio-group"
      aria-label={label}
      value={value}
      onChange={(chosen) => {
        const choice = choices.find(({ id }) => id === chosen);
        if (choice) onChange(choice.id);
      }}
    >
      {choices.map(({ id, label: text, description }) => (
        <Radio key={id} value={id} className="radio">
          <span className="radio-mark" aria-hidden="true" />
          <span>
            {text}
            {description !== undefined && <span className="list-box-description">{description}</span>}
          </span>
        </Radio>
      ))}
    </RadioGroup>
  );
}

export interface FileButtonProps extends Pick<ButtonProps, 'look' | 'isDisabled'> {
  label: string;
  accept?: string;
  multiple?: boolean;
  onFiles: (files: File[]) => void;
}

/** A button that lets a person choose files. */
export function FileButton({ label, accept, multiple = false, onFiles, ...button }: FileButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button {...button} onPress={() => input.current?.click()}>
        {label}
      </Button>
      <input
        ref={input}
        type="file"
        className="visually-hidden"
        tabIndex={-1}
        aria-label={label}
        accept={accept}
        multiple={multiple}
        onChange={(event) => {
          const files = [...(event.target.files ?? [])];
          event.target.value = '';
          if (files.length > 0) onFiles(files);
        }}
      />
    </>
  );
}

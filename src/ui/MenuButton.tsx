import { Button, Menu, MenuItem, MenuTrigger, Popover, type Selection } from 'react-aria-components';

export interface MenuEntry {
  id: string;
  label: string;
}

export interface MenuButtonProps {
  label: string;
  /** Asked when the menu opens. */
  entries: () => readonly MenuEntry[];
  onChoose: (id: string) => void;
  /** Entries that are on; with it, every entry is a switch and the menu stays open. */
  checked?: ReadonlySet<string>;
}

/** A button that opens a list of actions, or of switches. */
export function MenuButton({ label, entries, onChoose, checked }: MenuButtonProps) {
  const switches = checked && { selectionMode: 'multiple' as const, selectedKeys: checked as Selection };
  return (
    <MenuTrigger>
      <Button className="button button-quiet">
        {label}
        <span aria-hidden="true" className="select-arrow" />
      </Button>
      <Popover className="popover" placement="bottom end">
        <Entries entries={entries} label={label} onChoose={onChoose} switches={switches} />
      </Popover>
    </MenuTrigger>
  );
}

function Entries({ entries, label, onChoose, switches }: Pick<MenuButtonProps, 'entries' | 'label' | 'onChoose'> & { switches: { selectionMode: 'multiple'; selectedKeys: Selection } | undefined }) {
  return (
    <Menu className="list-box" aria-label={label} onAction={(id) => onChoose(String(id))} shouldCloseOnSelect={!switches} {...switches}>
      {entries().map(({ id, label: text }) => (
        <MenuItem key={id} id={id} textValue={text} className="list-box-item menu-item">
          {({ isSelected }) => (
            <span>
              {switches && (
                <span className="menu-check" aria-hidden="true">
                  {isSelected ? '✓' : ''}
                </span>
              )}
              {text}
            </span>
          )}
        </MenuItem>
      ))}
    </Menu>
  );
}

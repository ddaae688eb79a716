import { Autocomplete, Dialog, Heading, Input, Menu, MenuItem, MenuSection, Header, Modal, ModalOverlay, SearchField, useFilter } from 'react-aria-components';
import { commandGroups, commandsNow, type Command } from '../commands/registry';

/** Every action by name: type a part of it, choose with the arrow keys, Enter does it. */
export default function CommandPalette({ onClose }: { onClose: () => void }) {
  const { contains } = useFilter({ sensitivity: 'base' });
  const commands = commandsNow();
  const groups = commandGroups.map((group) => ({ group, members: commands.filter((command) => command.group === group) })).filter(({ members }) => members.length > 0);
  const filter = (text: string, typed: string): boolean => typed.split(/\s+/).every((word) => contains(text, word));
  return (
    <ModalOverlay className="overlay palette-overlay" isOpen onOpenChange={(open) => !open && onClose()} isDismissable>
      <Modal className="modal palette">
        <Dialog className="palette-dialog">
          <Heading slot="title" className="visually-hidden">
            Commands
          </Heading>
          <Autocomplete filter={filter}>
            <SearchField aria-label="Find a command" autoFocus className="palette-search">
              <Input className="text-input" placeholder="Find a command: layer 9, T = 8, save…" />
            </SearchField>
            <Menu
              className="palette-list"
              aria-label="Commands"
              renderEmptyState={() => <p className="palette-empty">No command has these words.</p>}
              onAction={(id) => {
                // The palette is gone before the command acts: some open another dialog.
                onClose();
                commands.find((command) => command.id === id)?.run();
              }}
            >
              {groups.map(({ group, members }) => (
                <MenuSection key={group} className="palette-group">
                  <Header className="palette-heading">{group}</Header>
                  {members.map((command) => (
                    <Item key={command.id} command={command} />
                  ))}
                </MenuSection>
              ))}
            </Menu>
          </Autocomplete>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function Item({ command: { id, title, group, key } }: { command: Command }) {
  return (
    <MenuItem id={id} textValue={`${title} ${group}`} className="list-box-item palette-item">
      <span>{title}</span>
      {key && <kbd>{key.value === ' ' ? 'Space' : key.value}</kbd>}
    </MenuItem>
  );
}

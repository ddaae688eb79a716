import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { keyRows } from '../commands/keys';
import { Button } from '../ui/controls';

export default function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <ModalOverlay className="overlay" isOpen onOpenChange={(open) => !open && onClose()} isDismissable>
      <Modal className="modal">
        <Dialog className="dialog">
          <Heading slot="title">What you are looking at</Heading>
          <p>
            EMS-YOLO (Su et al., ICCV 2023) finds objects with spikes. Its neurons add up what reaches them in a <em>membrane potential</em>, let a
            quarter of it stay from one time step to the next, and fire when it is above a threshold of 0.5. A still picture is shown to it T times;
            boxes are read from the mean over the steps so far, so you can watch them form. On the right the same architecture runs as an ordinary
            network (ANN): ReLU in place of every neuron, one pass.
          </p>
          <p>
            Choose a picture, then a layer in the network strip, then a neuron in its maps. Everything shows the same time step. Energy is the usual
            estimate for neuromorphic hardware, not what this device uses. Nothing is uploaded: pictures and checkpoints stay on this machine.
          </p>
          <h3>Keys</h3>
          <table className="keys">
            <tbody>
              {keyRows().map(({ shown, does }) => (
                <tr key={shown}>
                  <th scope="row">
                    <kbd>{shown}</kbd>
                  </th>
                  <td>{does}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <Button look="primary" onPress={onClose}>
            Close
          </Button>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

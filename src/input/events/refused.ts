import { AppError } from '../../base/errors';
import type { Format } from './source';

/** Containers that hold recordings among other things and have converters of their own. */
const containers: readonly { signature: readonly number[] | string; kind: string; remedy: string }[] = [
  {
    signature: '#ROSBAG V',
    kind: 'a ROS bag',
    remedy: 'Convert its event topic with rosbag2hdf5 or the converter of rpg_dvs_ros to text or HDF5, then open that.',
  },
  { signature: [0x89, 0x4d, 0x43, 0x41, 0x50], kind: 'an MCAP file', remedy: 'Convert its event topic with event_camera_tools (bag_to_raw) to RAW, then open that.' },
  { signature: 'SQLite format 3', kind: 'a ROS 2 bag (SQLite)', remedy: 'Convert its event topic with event_camera_tools (bag_to_raw) to RAW, then open that.' },
  { signature: [0x1f, 0x8b], kind: 'compressed with gzip', remedy: 'Unpack it, then open what was in it.' },
  { signature: [0x28, 0xb5, 0x2f, 0xfd], kind: 'compressed with Zstandard', remedy: 'Unpack it, then open what was in it.' },
];

export const refused: Format = {
  recognises: (head) => containerOf(head) !== undefined,

  open({ name }, head) {
    const container = containerOf(head);
    return Promise.reject(
      new AppError('input/unsupported', `${name} is ${container?.kind ?? 'a container'}, which is not read here.`, container?.remedy ?? 'Convert it first.'),
    );
  },
};

function containerOf(head: Uint8Array): (typeof containers)[number] | undefined {
  return containers.find(({ signature }) => {
    const bytes = typeof signature === 'string' ? [...new TextEncoder().encode(signature)] : signature;
    return bytes.every((byte, index) => head[index] === byte);
  });
}

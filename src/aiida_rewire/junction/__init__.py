"""Tips for MD, leads, the scattering region of a snapshot, and the descriptors of its contact."""

"""Files on disk: reading and writing pictures and DICOM, and output paths."""

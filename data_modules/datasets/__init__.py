"""Sets of photographs: manifests, folders, phantoms, shards, and the cache of decoded ones."""

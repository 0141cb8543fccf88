"""An encoder made ready once, then asked for the vectors of files, catalogs and arrays; the cache of vectors."""

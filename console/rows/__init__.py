"""Rows of a file of the user's own, for a reference: CSV, Parquet or an Avro object container.

naming      which column holds what: features by their names, the rest by defaults that options change (pure)
source      a file as chunks of columns; csv_source, parquet_source, avro_source: one format each
cells       a column of a chunk as numbers, texts, times, classes, vectors; a cell that is none is named by its place
gather      chunks to the rows a reference is built from, within a bound
"""

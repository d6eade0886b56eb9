"""Geometry of a fundus photograph: field of view, crop and composite, transfer between sizes."""

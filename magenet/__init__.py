"""MAGE-Net: teacher-student enhancement of fundus photographs."""

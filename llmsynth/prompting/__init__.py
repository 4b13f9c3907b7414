"""What a prompted model is told: templates, columns in words, chosen examples; and its copies."""

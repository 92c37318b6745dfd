"""What leaves for research, with consent: pseudonyms and shifted dates of a study, and OMOP tables made with them."""

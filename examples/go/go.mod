module example.com/evrim

go 1.25
